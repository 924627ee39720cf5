"""pleinair: train compact CycleGAN generators, export them with measured drift, paint live video."""

__version__ = "0.1.0"
