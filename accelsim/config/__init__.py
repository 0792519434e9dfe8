"""Where the outside world comes in: files and settings, checked."""
