"""What LibreChat reads from its environment, and the files and server around it."""
