"""A SOURCE becomes a torch generator: runs, checkpoints, bundles, foreign ONNX files.

All code after it works on torch generators only.
"""
