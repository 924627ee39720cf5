"""Bundles on devices: kits to copy there (``jetson/``) and sites to try (``web/``).

Puts together what export and runtime make; nothing here paints, builds graphs or measures.
"""
