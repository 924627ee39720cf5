"""INT8 graphs: what is observed, ranges, rounding, and the search for the least drift.

Knows graphs and photographs, not targets.
"""
