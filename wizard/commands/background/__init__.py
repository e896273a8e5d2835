"""Tunnels in the background: the process that holds one, its record, and the commands for both."""
