"""Painter + pictures -> scores: distances to the target domain, content, faults, viewing size.

A painter is any function from pictures to pictures: nothing here knows runs, bundles or files of
generators. A score is one module.
"""
