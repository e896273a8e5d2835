"""How Docker Compose reads a folder: Compose itself if installed, else our own reader."""
