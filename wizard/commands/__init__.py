"""A module for each command, which reads like the steps a user sees.

Any function may end the command by a `Failure`, whose finding says what went wrong.
"""
