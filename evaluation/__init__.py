"""Painter + pictures -> scores: distances to the target domain, content, faults, viewing size."""
