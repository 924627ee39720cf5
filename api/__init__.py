"""Verbs as functions of Python, where a verb takes more than one room.

The command line calls the same functions. ``pleinair.export``, ``train`` and ``bench`` are these.
"""
