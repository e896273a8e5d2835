"""An Auth0-like tenant on this machine."""
