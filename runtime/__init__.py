"""Paints frames with a bundle.

Imports neither torch (two backends aside) nor training nor export. ``sources/`` and ``sinks/``
know frames, ``backends/`` artifacts, ``live/`` and ``translate/`` bring them together.
"""
