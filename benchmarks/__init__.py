"""Bundle -> latency and drift, measured: the method lies here, its results in ``results/``.

Knows the runtime and bundles; neither training nor export. Speed is measured, never asserted.
"""
