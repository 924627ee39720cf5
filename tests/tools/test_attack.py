"""A small part of the attacks; tools/attack.py has all of them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.tools.attack_commands import COMMANDS
from pleinair.tools.attack_inputs import KINDS, attack_inputs, make, mutated, write_generator
from pleinair.tools.attack_runs import Attack, Tally


@pytest.fixture(scope="module")
def attack(tmp_path_factory) -> Attack:
    photos = sorted((Path(__file__).parents[1] / "data" / "photos").glob("*.jpg"))[:2]
    return Attack(tmp_path_factory.mktemp("attack"), photos, COMMANDS[:3])


@pytest.mark.parametrize("fault", ["kill", "full"])
def test_the_first_steps_of_a_folder(attack, fault):
    tally = Tally()
    attack.cuts(COMMANDS[1], fault, tally, most=3)
    assert tally.runs == 3
    assert tally.wrong == []


def test_several_at_once(attack):
    tally = Tally()
    attack.doubles(COMMANDS[1], 1, tally)
    assert (tally.runs, tally.wrong) == (1, [])


@pytest.mark.parametrize("kind", ["manifest", "zip", "picture", "recipe"])
def test_damaged_inputs(tmp_path, kind):
    write_generator(tmp_path / "generator.pt")
    wrong: list[str] = []
    refused = attack_inputs(kind, 25, tmp_path / "inputs", wrong.append)
    assert wrong == []
    assert refused > 5


def test_an_attack_that_succeeds_is_counted(attack):
    """The harness itself: a run whose output is damaged afterwards is wrong."""
    tally = Tally()
    with attack.fresh(COMMANDS[1]) as folder:
        assert attack.run(COMMANDS[1], folder)[0] == 0
        attack._is_whole(COMMANDS[1], folder, tally, "undisturbed")
        assert tally.wrong == []
        (folder / "out" / "0.jpg").write_bytes(b"half")
        (folder / ".left").touch()
        (folder / "o.mp4.part").unlink()
        attack._is_whole(COMMANDS[1], folder, tally, "damaged")
    assert len(tally.wrong) == 3


def test_the_same_seed_gives_the_same_input(tmp_path):
    data = bytes(range(256)) * 8
    assert mutated(data, random.Random(3)) == mutated(data, random.Random(3))
    (tmp_path / "a").mkdir()
    path = make("graph", tmp_path / "a", 1)
    assert Bundle.open(path).find("onnx", "int8")
    assert set(KINDS) >= {"manifest", "graph", "picture"}
