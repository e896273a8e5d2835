"""What a command does with its user: finds, asks, shows, writes, proves. Several commands share it.

Any function may end the command by a `Failure`, whose finding says what went wrong.
"""
