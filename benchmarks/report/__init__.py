"""``report.html``: charts, pictures and tables of one run, in one file that fetches nothing.

Reads results; nothing here measures.
"""
