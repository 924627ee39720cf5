"""Graphs around generators: from frames to frames, from pictures to pictures, in FP32 and FP16.

Nothing here knows a target or quantizes.
"""
