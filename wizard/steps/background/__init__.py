"""Tunnels in the background: their process, their records, and the commands for both."""
