"""Programs for developers of librechat-auth0; no user has them."""
