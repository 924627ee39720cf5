"""Where painted frames go: files, windows, browsers, virtual cameras.

They take ``Frame``s; nothing here paints.
"""
