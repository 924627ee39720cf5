"""Generators that paint with strokes: the network that plans, the head that paints."""
