"""Paints frames with a bundle.

Never torch (two backends aside), training or export. ``sources/`` and ``sinks/`` know frames,
``backends/`` artifacts, ``live/`` and ``translate/`` bring them together.
"""
