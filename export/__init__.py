"""Checkpoint -> bundle of artifacts (needs torch and the converters)."""
