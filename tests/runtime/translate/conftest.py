"""Segments that are shorter than in earnest, so that films of several of them are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

LENGTH = 24  # frames
_PLACES = [f"pleinair.runtime.{name}.LENGTH" for name in ("sinks.video", "translate.work")]
IN_A_PROCESS = "".join(  # before what a process of its own does
    f"import {place.rpartition('.')[0]}; {place} = {LENGTH}\n" for place in _PLACES
)


@pytest.fixture(scope="module")
def short_segments() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for place in _PLACES:
            patch.setattr(place, LENGTH)
        yield
