"""One module a command; each reads like the steps a user sees."""
