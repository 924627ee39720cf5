"""The contract between the rooms: what a bundle's folder holds, and what a SOURCE is.

Free of torch and of every inference library; knows nothing of the rooms above.
"""
