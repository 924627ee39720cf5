"""A SOURCE becomes a torch generator: runs, checkpoints, bundles, foreign ONNX files.

Everything behind this folder knows torch generators only.
"""
