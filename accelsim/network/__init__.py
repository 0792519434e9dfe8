"""Networks as graphs of operations."""
