"""The terminal: output and questions."""
