"""Runs saved Core ML packages without Core ML, to measure their drift on any machine.

Reads the saved package, not the model that it was made from; see docs/decisions/mil-evaluator.md.
"""
