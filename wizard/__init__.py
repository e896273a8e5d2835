"""librechat-auth0: from a fresh LibreChat checkout to a working "Continue with Auth0"."""

__version__ = "0.1.0"
