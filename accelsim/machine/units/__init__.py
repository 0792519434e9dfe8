"""Units of the machine: a short process each, an instance for each that the machine has."""
