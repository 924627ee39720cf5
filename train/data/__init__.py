"""Pictures become batches: which pictures, which crops, in which order.

The k-th item is a pure function of the seed and k. Nothing here knows networks.
"""
