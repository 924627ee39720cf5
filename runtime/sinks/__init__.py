"""Where painted frames go: files, windows, browsers, virtual cameras.

Takes ``Frame``s; nothing here paints.
"""
