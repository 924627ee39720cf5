"""A server to try a site with, and a certificate for phones in the same network.

The site itself is made in ``export/targets/web``.
"""
