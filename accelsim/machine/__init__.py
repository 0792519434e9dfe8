"""The modelled hardware: SimPy processes that play a tile program."""
