"""Who asks the query API: tokens, roles, sessions and limits."""
