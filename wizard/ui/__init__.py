"""The terminal: what users read and answer."""
