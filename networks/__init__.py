"""Generators in PyTorch: their definitions, files, foreign checkpoints and ONNX graphs.

Nothing here trains, scores or exports; training, export and the backend ``torch`` build on it.
"""
