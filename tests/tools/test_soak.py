"""The harness of the long runs; tools/soak.py runs them."""

from __future__ import annotations

import random

import pytest
from pleinair.errors import PleinairError
from pleinair.runtime.sources.opening import open_source
from pleinair.tools.soak import MODES, Samples, ends
from pleinair.tools.soak_disturb import film


def test_what_grows_is_seen():
    flat, growing = [100.0] * 50, [100.0 + index for index in range(50)]
    assert ends(flat) == (100, 100)
    first, last = ends(growing)
    assert last > 1.02 * first
    assert ends([3.0, 2.0, 9.0] * 20, min) == (2, 2)


def test_films_are_of_all_kinds(tmp_path):
    chance, seen, refused = random.Random(0), set(), 0
    for _ in range(8):
        path = film(tmp_path, chance)
        try:
            with open_source(str(path)) as source:
                seen.add((path.suffix, source.size))
        except PleinairError:
            refused += 1
    assert len(seen) > 3
    assert refused < 4


def test_a_short_run_of_translate():
    samples = Samples()
    with samples.taken():
        _, said = MODES["translate"](1.5)
    assert said.endswith("refused")
    assert len(samples.memory) == len(samples.files) == len(samples.threads) > 0


def test_an_unknown_mode_is_refused(monkeypatch):
    from pleinair.tools.soak import main

    monkeypatch.setattr("sys.argv", ["soak", "sleep"])
    with pytest.raises(SystemExit):
        main()
