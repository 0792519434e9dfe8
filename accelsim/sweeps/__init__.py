"""Many points - networks on varied machines - run in parallel, kept as they finish."""
