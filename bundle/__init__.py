"""The contract between the rooms: what a bundle's folder holds, and what a SOURCE is.

It needs neither torch nor an inference library, and knows nothing of the rooms above.
"""
