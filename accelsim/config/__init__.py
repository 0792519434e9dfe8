"""Files and settings of the outside world, checked."""
