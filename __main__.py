"""``python -m pleinair``."""

from .cli import main

main()
