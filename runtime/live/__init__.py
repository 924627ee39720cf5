"""The live filter: the newest frame wins, and its size follows what the machine can do.

Nothing here knows of files that must be complete.
"""
