"""``python -m pleinair``."""

from .cli import run

run()
