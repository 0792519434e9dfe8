"""The dataflows of the PE array."""
