"""Energy = counts of actions x table."""
