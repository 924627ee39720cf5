"""Addresses as they may be shown: without the passwords and tokens that they carry."""

from __future__ import annotations

import re

_HIDDEN = "***"


def shown(address: str) -> str:
    """Returns an address without user, password and the values after ``?`` and ``#``.

    What is no address, a path say, stays as it is.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    query = rest[len(place) :]
    # Whatever stands before an @ may be a password, also one with a / in it.
    user, at, place = place.rpartition("@")
    query = re.sub(r"(?<=[?&;#])([^=&;#]+=|)[^&;#]+", rf"\1{_HIDDEN}", query)
    return f"{scheme}{mark}{_HIDDEN if at else user}{at}{place}{query}"
