"""What the operating system is asked for: files, processes, ports, the clock, the desktop."""
