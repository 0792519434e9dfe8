"""The tile program: the contract between lowering and machine."""
