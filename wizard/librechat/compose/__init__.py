"""What Docker Compose makes of a folder: by Compose itself where it is installed, else by us."""
