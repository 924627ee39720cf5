"""The canvas that strokes lie on: what a hand's marks look like, and where they could show.

NumPy alone: training, export and the runtime lay the same canvas, bit for bit.
"""
