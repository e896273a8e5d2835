"""A module for each command, which reads like the steps a user sees, and what several share."""
