"""The rules over an existing set-up."""
