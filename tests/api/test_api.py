"""The verbs as functions. Export and bench are run by tests/test_examples.py and tests/examples."""

from __future__ import annotations

from pathlib import Path

import pleinair
import pytest

DATA = Path(__file__).parents[1] / "data"


def test_train_returns_its_generator(tmp_path):
    said, steps = [], []
    found = pleinair.train(
        "smoke",
        str(tmp_path / "run"),
        data=str(DATA),
        changes=["optim.steps=2", "data.workers=0", "log.samples_every=2", "data.crop=64"],
        device="cpu",
        progress=lambda done, total: steps.append((done, total)),
        say=said.append,
    )
    assert found == pleinair.TrainResult(tmp_path / "run" / "generator.pt", 2)
    assert found.generator.is_file()
    assert steps == [(1, 2), (2, 2)]
    assert said[0] == f"smoke: 2 steps, saved in {tmp_path / 'run'} as they go"


def test_verify_says_what_it_found(bundle, photos):
    said, steps = [], []
    found = pleinair.verify(
        bundle, photos, 2, lambda done, total: steps.append((done, total)), said.append
    )
    assert found["ok"]
    assert {row["hash"] for row in found["artifacts"]} == {"ok"}
    painters = 1 + sum(len(row["measured"]) for row in found["artifacts"])  # and the reference
    told = "paintings: each picture with each artifact in each backend"
    assert said == [f"2 x {painters} {told}"]
    assert steps == [(done, 2 * painters) for done in range(1, 2 * painters + 1)]


@pytest.mark.parametrize(
    ("verb", "arguments", "sentence"),
    [
        ("export", ("nowhere", "out"), "nowhere"),
        ("bench", ("mone", "out"), "did you mean 'monet'"),
        ("evaluate", ("mone",), "mone"),
        ("verify", ("mone",), "did you mean 'monet'"),
    ],
)
def test_what_is_not_there_is_a_sentence(tmp_path, monkeypatch, verb, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pleinair.PleinairError, match=sentence):
        getattr(pleinair, verb)(*arguments)
    assert not list(tmp_path.iterdir())
