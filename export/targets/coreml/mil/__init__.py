"""Runs saved Core ML packages without Core ML, to measure their drift on any machine.

Reads what was saved, not what it was made from; see docs/decisions/mil-evaluator.md.
"""
