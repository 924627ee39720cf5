"""Colours that a picture names by numbers and not by a profile, as an ICC profile (ground floor).

PNG's chunks cICP, cHRM and gAMA, and HEIC's and AVIF's ``nclx``. Numbers of primaries and transfers
are those of ITU-T H.273.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from .heif import codes_of

_PNG, _CHUNK = b"\x89PNG\r\n\x1a\n", struct.Struct(">I4s")
_D65 = (0.3127, 0.3290)
_PRIMARIES = {  # x and y of white, red, green and blue
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # all others are shown by sRGB's curve
_HDR = {16: "PQ", 18: "HLG"}
_USUAL = 1 / 2.2  # what PNG's gAMA says of sRGB
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def named_profile(data: bytes) -> bytes:
    """Returns the ICC profile that a picture's numbers mean.

    Returns:
        Nothing where it names sRGB, what no profile of 8 bits can say, or nothing.
    """
    primaries, transfer = _codes(data)
    if transfer:
        gamma = _GAMMAS.get(transfer)
        is_usual = primaries == 1 and gamma is None
        known = primaries in _PRIMARIES and not is_usual and transfer not in _HDR
        return _profile(_PRIMARIES[primaries], gamma) if known else b""
    found = dict(_early_chunks(data))
    if b"sRGB" in found or b"iCCP" in found or not {b"gAMA", b"cHRM"} & set(found):
        return b""
    try:
        (gamma,) = struct.unpack(">I", found.get(b"gAMA", struct.pack(">I", round(_USUAL * 1e5))))
        places = struct.unpack(">8I", found[b"cHRM"]) if b"cHRM" in found else None
    except struct.error:
        return b""
    where = tuple(one / 1e5 for one in places) if places else _PRIMARIES[1]
    is_usual = abs(gamma / 1e5 - _USUAL) < 0.005
    if not gamma or (is_usual and np.allclose(where, _PRIMARIES[1], atol=0.002)):
        return b""
    return _profile(where, None if is_usual else 1e5 / gamma)


def named_hdr(data: bytes) -> str:
    """Returns ``PQ`` or ``HLG`` where a picture says that its dynamic range is high, else ""."""
    return _HDR.get(_codes(data)[1], "")


def _codes(data: bytes) -> tuple[int, int]:
    """Primaries and transfer; zeros where they are not named so."""
    if data[4:8] == b"ftyp":
        return codes_of(data) or (0, 0)
    code = dict(_early_chunks(data)).get(b"cICP", b"")
    return (code[0], code[1]) if len(code) >= 2 else (0, 0)


def _early_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields a PNG's chunks before its pixels."""
    at = len(_PNG)
    while data.startswith(_PNG) and at + 8 <= len(data):
        length, kind = _CHUNK.unpack_from(data, at)
        if kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _profile(places: tuple[float, ...], gamma: float | None) -> bytes:
    """A profile of a matrix and a curve, sRGB's if there is no exponent; empty if it has none."""
    xyz = [
        np.array([x, y, 1 - x - y]) / max(y, 1e-6)
        for x, y in zip(places[::2], places[1::2], strict=True)
    ]
    white, primaries = xyz[0], np.transpose(xyz[1:])
    if abs(np.linalg.det(primaries)) < 1e-6:
        return b""
    to_d50 = np.linalg.inv(_BRADFORD) * (_BRADFORD @ _D50 / (_BRADFORD @ white)) @ _BRADFORD
    matrix = to_d50 @ (primaries * np.linalg.solve(primaries, white))
    if gamma is None:
        numbers = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
        curve = b"para\0\0\0\0\0\3\0\0" + _fixed(*numbers)
    else:
        curve = b"para\0\0\0\0\0\0\0\0" + _fixed(gamma)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(*_D50)}
    for letter, column in zip((b"r", b"g", b"b"), matrix.T, strict=True):
        tags[letter + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(*column)
        tags[letter + b"TRC"] = curve
    name = "named by its file".encode("utf-16-be")
    mluc = struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(name), 28)
    tags[b"desc"] = tags[b"cprt"] = b"mluc\0\0\0\0" + mluc + name
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4sI4s4s4s", start + len(body), b"none", 0x04200000, b"mntr", b"RGB ", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(*_D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(max(-3e4, min(3e4, v)) * 65536)) for v in values)
