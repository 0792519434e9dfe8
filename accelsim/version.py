"""The version of the package and of its model: any change that moves a cycle, byte or picojoule changes it."""

__version__ = "0.2.0"
