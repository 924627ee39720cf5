"""What training minimises: each term with its formula, and how a recipe sums them.

Nothing here updates weights.
"""
