"""Generators in PyTorch: what they are, their files, foreign checkpoints and ONNX graphs.

Nothing here trains, scores or exports: training, export and the backend ``torch`` stand on it.
"""
