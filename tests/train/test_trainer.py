from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pleinair.errors import TrainingError
from pleinair.train.checkpoint import load_state, save_atomically
from pleinair.train.recipe import Recipe
from pleinair.train.trainer import Trainer, train

Make = Callable[..., Recipe]

RUN = """
import sys
from pathlib import Path
from pleinair.train.recipe import validate_recipe
from pleinair.train.trainer import train
import json
train(validate_recipe(json.loads(sys.argv[1]), "test"), Path(sys.argv[2]), "cpu")
"""


def states_equal(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, dict):
        return (
            isinstance(b, dict)
            and a.keys() == b.keys()
            and all(states_equal(a[k], b[k]) for k in a)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(states_equal, a, b))  # type: ignore[arg-type]
    return a == b


def test_a_run_writes_what_it_promises(make_recipe: Make, tmp_path: Path) -> None:
    generator = train(make_recipe(), tmp_path / "run", "cpu")
    assert generator == tmp_path / "run" / "generator.pt"
    lines = [json.loads(line) for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert {"g_target", "g_source", "cycle_source", "cycle_target", "identity"} <= lines[0].keys()
    assert (tmp_path / "run/samples/step_000006.jpg").stat().st_size > 1000
    assert json.loads((tmp_path / "run/recipe.json").read_text())["name"] == "tiny"
    assert load_state(tmp_path / "run/checkpoint.pt")["step"] == 6


def test_training_lowers_the_losses_that_it_minimises(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(
        optim={"steps": 40, "lr": 1e-3, "decay_from": 1.0}, loss={"colour": 2.0, "shift": 1.0}
    )
    seen: list[dict[str, float]] = []
    train(recipe, tmp_path / "run", "cpu", lambda _, values: seen.append(values))
    for name in ("cycle_source", "cycle_target"):
        first = sum(values[name] for values in seen[:5])
        last = sum(values[name] for values in seen[-5:])
        assert last < 0.95 * first, name
    judged = [values["d_target"] for values in seen]
    assert sum(judged[-5:]) < sum(judged[:5])


def test_resnet_takes_steps_too(make_recipe: Make) -> None:
    recipe = make_recipe(
        model={"generator": "resnet_9blocks", "reverse": "edge_s"}, optim={"batch": 1}
    )
    trainer = Trainer(recipe, torch.device("cpu"))
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    before = trainer.forward.state_dict()["model.1.weight"].clone()
    assert all(value >= 0 for value in trainer.train_step(x, x.flip(-1)).values())
    assert not torch.equal(before, trainer.forward.state_dict()["model.1.weight"])


def test_learning_rate_is_constant_then_falls_to_the_end(make_recipe: Make) -> None:
    trainer = Trainer(make_recipe(optim={"steps": 10, "decay_from": 0.5}), torch.device("cpu"))
    factors = [trainer._lr_factor(step) for step in range(10)]
    assert factors[:6] == [1.0] * 6
    assert factors[5:] == sorted(factors[5:], reverse=True)
    assert 0 < factors[-1] < 0.4


def test_resume_gives_the_same_weights(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(loss={"shift": 1.0})
    train(recipe, tmp_path / "whole", "cpu")

    class Stop(Exception):
        pass

    def stop_at_three(step: int, _: dict[str, float]) -> None:
        if step == 3:  # between two checkpoints
            raise Stop

    with pytest.raises(Stop):
        train(recipe, tmp_path / "parts", "cpu", stop_at_three)
    assert load_state(tmp_path / "parts/checkpoint.pt")["step"] == 2
    train(recipe, tmp_path / "parts", "cpu")
    whole, parts = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert states_equal(whole, parts)
    steps = [
        json.loads(x)["step"] for x in (tmp_path / "parts/stats.jsonl").read_text().split("\n") if x
    ]
    assert steps == [1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_weights(
    make_recipe: Make, tmp_path: Path
) -> None:
    recipe = make_recipe(optim={"steps": 24}, log={"checkpoint_every": 1, "samples_every": 24})
    train(recipe, tmp_path / "whole", "cpu")
    chance = random.Random(5)
    command = [sys.executable, "-c", RUN, recipe.model_dump_json(), str(tmp_path / "killed")]
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    for _ in range(3):
        process = subprocess.Popen(command)
        deadline = time.monotonic() + 60
        began = load_state(checkpoint)["step"] if checkpoint.exists() else 0
        while time.monotonic() < deadline and process.poll() is None:
            if checkpoint.exists() and load_state(checkpoint)["step"] > began:
                break
            time.sleep(0.02)
        time.sleep(chance.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command, check=True, timeout=120)
    whole, killed = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    assert states_equal(whole["networks"], killed["networks"])
    assert states_equal(whole, killed)


def test_resume_with_another_recipe_names_the_keys(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    with pytest.raises(TrainingError, match=r"optim\.lr \(was 0\.0002, now 0\.1\)"):
        train(make_recipe(optim={"steps": 2, "lr": 0.1}), tmp_path, "cpu")


def test_a_truncated_checkpoint_is_named(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is no readable checkpoint"):
        train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")


def test_losses_that_are_no_numbers_stop_the_run(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(optim={"steps": 6, "lr": 1e30}, log={"checkpoint_every": 1})
    with pytest.raises(TrainingError, match=r"diverged at step .*lower optim.lr"):
        train(recipe, tmp_path, "cpu")
    if (tmp_path / "checkpoint.pt").exists():
        assert load_state(tmp_path / "checkpoint.pt")["step"] < 6


def test_a_failed_save_keeps_the_previous_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_atomically({"step": 1}, path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match="No space left"):
        save_atomically({"step": 2}, path)
    assert load_state(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_missing_data_is_said_before_anything_is_made(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(data={"root": str(tmp_path / "nowhere")})
    with pytest.raises(TrainingError, match=r"data folder .*photos does not exist"):
        train(recipe, tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "owned",))

    torch.save({"state": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(TrainingError, match="is no readable checkpoint"):
        load_state(tmp_path / "hostile.pt")
    assert not (tmp_path / "owned").exists()
