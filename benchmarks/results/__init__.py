"""What is made of ``results.json`` alone: comparisons, tables, summaries, submissions.

Nothing here measures or paints.
"""
