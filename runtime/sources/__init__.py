"""Where frames come from: pictures, folders, videos, cameras, streams.

Yields ``Frame``s; nothing here paints or writes.
"""
