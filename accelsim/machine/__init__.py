"""The modelled hardware: SimPy processes that run a tile program."""
