"""The query API: routes that turn parameters into questions, and answers into documents."""
