"""Painter + pictures -> scores: distances to the target domain, content, lattice, flicker."""
