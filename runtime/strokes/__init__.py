"""What a painter with strokes needs beside its engine: a canvas, laid, moved and held still.

Knows pixels and marks; neither engines nor files.
"""
