"""Files to files: nothing is dropped or reordered, and interrupted jobs resume.

On this machine or a cluster; nothing here knows of live pictures.
"""
