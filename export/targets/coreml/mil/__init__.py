"""Runs saved Core ML packages without Core ML, to measure their drift on any machine."""
