"""What leaves this machine names no folder of it (ground floor)."""

from __future__ import annotations

import re
from typing import Any

# A path from the root, a drive or the home folder, with at least one folder before the last name.
# What follows a colon or a slash is part of an address.
_NAME = r"[^\s/\\'\"<>|;,():]"
_PATH = re.compile(
    rf"(?<![\w:/.~\\-])(?:~|[A-Za-z]:)?[/\\](?:{_NAME}+[/\\])+({_NAME}*)|(?<!\w)file://\S*/({_NAME}*)"
)


def without_folders(value: Any) -> Any:
    """Returns plain values in which each absolute path is the last name of it."""
    if isinstance(value, str):
        return _PATH.sub(lambda found: found[1] or found[2] or "", value)
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(without_folders(one) for one in value)
    return value
