"""Files to files: nothing is dropped or reordered, and what is done stays done.

Here or on a cluster; nothing here knows of live pictures.
"""
