"""Generators with their entrances and exits: graphs from frames to frames, pictures to pictures.

FP32 and FP16; nothing here knows a target or quantizes.
"""
