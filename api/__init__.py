"""Verbs of several rooms, as functions for Python; the command line calls the same functions.

They are ``pleinair.bench``, ``evaluate``, ``export`` and ``train``.
"""
