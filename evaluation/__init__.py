"""Scores of painters: distance to the target domain, content, artefacts, viewing size.

A painter is any function from pictures to pictures; nothing here knows runs, bundles or files of
generators. Each score is a module.
"""
