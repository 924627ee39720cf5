"""INT8 graphs: observation, ranges, rounding, and the search for the least drift.

Modules here know graphs and photographs, not targets.
"""
