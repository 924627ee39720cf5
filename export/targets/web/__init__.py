"""Browsers: the page, what runs graphs there, and a site made of both."""
