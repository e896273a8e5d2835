"""A module for each command, which reads like the steps a user sees, and what several share.

Any function may end the command by a `Failure`, whose finding says what went wrong.
"""
