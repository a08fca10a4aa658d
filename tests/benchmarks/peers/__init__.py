"""The contestants: one module each, and beside it the program that it runs."""
