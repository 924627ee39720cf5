"""Core ML: conversion, calibration and INT8, and an evaluator of saved packages (``mil/``)."""

from ..row import Target

TARGET = Target(
    "coreml",
    ("fp16", "w8", "int8"),
    "coremltools",
    ("torch", "coremltools"),
    'pip install "pleinair[coreml]"',
    "macOS 14, iOS 17: CPU, GPU, Neural Engine",
    verified="the saved package read and painted by an evaluator of MIL programs"
    " (`tests/export/targets/test_mil.py`, `tests/export/targets/test_coreml.py`)",
    unverified="Core ML itself: there is no Mac and no iPhone; an app that lays the canvas of "
    "strokes",
    strokes=True,
    order=50,
)
