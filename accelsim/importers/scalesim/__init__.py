"""SCALE-Sim's topology CSV as a network, its .cfg as a machine (https://github.com/scalesim-project/SCALE-Sim, v3)."""
