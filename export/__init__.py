"""A generator becomes a bundle of artifacts, each with its measured drift.

``sources/`` reads generators, ``graphs/`` wraps them, ``int8/`` quantizes, ``targets/`` builds
artifacts. The modules here stage the bundle and measure drift with the runtime's own backends.
Nothing here trains.
"""
