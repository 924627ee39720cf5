"""LiteRT: programs for Android."""
