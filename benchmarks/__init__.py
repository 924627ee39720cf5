"""Measures latency and drift of a bundle: the method is here, its results in ``results/``.

Knows the runtime and bundles; neither training nor export. Speed is measured, never asserted.
"""
