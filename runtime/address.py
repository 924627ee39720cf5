"""Addresses: how they are shown, without passwords, and this machine's own."""

from __future__ import annotations

import re
import socket

_HIDDEN = "***"
# What people write of an address without its scheme.
_BARE = re.compile(r"(www\.|localhost:|[\d.]+:\d|[\w.-]+\.(com|org|net|tv|be|local)[:/])")


def is_bare(text: str) -> bool:
    """Returns whether text looks like an address whose scheme is left out."""
    return bool(_BARE.match(text))


def network_address() -> str:
    """Returns this machine's address in its network; empty if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing; selects the address that would be used
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def shown(address: str) -> str:
    """Returns an address without user, password and the values after ``?`` and ``#``.

    Anything else, such as a path, is returned unchanged.
    """
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    place = re.split(r"[?#]", rest, maxsplit=1)[0]
    query = rest[len(place) :]
    # What is before an @ may be a password, even with a / in it.
    user, at, place = place.rpartition("@")
    query = re.sub(r"(?<=[?&;#])([^=&;#]+=|)[^&;#]+", rf"\1{_HIDDEN}", query)
    return f"{scheme}{mark}{_HIDDEN if at else user}{at}{place}{query}"
