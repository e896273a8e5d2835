"""Programs for developers of librechat-auth0; users do not get them."""
