from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pleinair.errors import PleinairError, TrainingError, UsageError
from pleinair.networks.checkpoint import load_state, save_atomically
from pleinair.networks.load import load_painter
from pleinair.train.data.corrupt import CorruptTally
from pleinair.train.fabric import make_fabric
from pleinair.train.recipe import Recipe
from pleinair.train.run import _Loop, save_samples, train
from pleinair.train.stats import Stats
from pleinair.train.trainer import Trainer

Make = Callable[..., Recipe]
DATA = Path(__file__).parent.parent / "data"

RUN = """
import sys
from pathlib import Path
from pleinair.train.recipe import validate_recipe
from pleinair.train.run import train
import json
init = Path(sys.argv[3]) if len(sys.argv) > 3 else None
train(validate_recipe(json.loads(sys.argv[1]), "test"), Path(sys.argv[2]), "cpu", init)
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
        return isinstance(b, list | tuple) and len(a) == len(b) and all(map(states_equal, a, b))
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
    train(recipe, tmp_path / "run", "cpu", report=lambda _, values: seen.append(values))
    for name in ("cycle_source", "cycle_target"):
        first = sum(values[name] for values in seen[:5])
        last = sum(values[name] for values in seen[-5:])
        assert last < 0.95 * first, name
    judged = [values["d_target"] for values in seen]
    assert sum(judged[-5:]) < sum(judged[:5])


def test_resume_gives_the_same_weights(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(loss={"shift": 1.0})
    train(recipe, tmp_path / "whole", "cpu")

    class Stop(Exception):
        pass

    def stop_at_three(step: int, _: dict[str, float]) -> None:
        if step == 3:  # between two checkpoints
            raise Stop

    with pytest.raises(Stop):
        train(recipe, tmp_path / "parts", "cpu", report=stop_at_three)
    assert load_state(tmp_path / "parts/checkpoint.pt")["step"] == 2
    said: list[str] = []
    train(recipe, tmp_path / "parts", "cpu", say=said.append)
    assert said == [f"going on from step 2 of {recipe.optim.steps}"]
    whole, parts = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert states_equal(whole, parts)
    steps = [
        json.loads(x)["step"] for x in (tmp_path / "parts/stats.jsonl").read_text().split("\n") if x
    ]
    assert steps == [1, 2, 3, 4, 5, 6]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


@pytest.mark.parametrize("damage", [flip, cut_off, Path.unlink])
def test_a_damaged_checkpoint_is_gone_back_from(
    make_recipe: Make, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    recipe = make_recipe(optim={"steps": 3}, log={"checkpoint_every": 1, "samples_every": 3})
    run, newest = tmp_path / "run", tmp_path / "run" / "checkpoint.pt"
    train(recipe, run, "cpu")
    whole = load_state(newest)
    damage(newest)
    said: list[str] = []
    for _ in range(2):  # and another time, from the one that was good then
        train(recipe, run, "cpu", say=said.append)
        assert states_equal(load_state(newest), whole)
        damage(newest)
    assert len(said) == 2
    assert str(newest) in said[0]
    assert said[0].endswith("; going on from the one before it, of step 2")
    if damage is not Path.unlink:
        damage(run / "checkpoint-before.pt")
        with pytest.raises(TrainingError, match=r"checkpoint\.pt is not a readable checkpoint"):
            train(recipe, run, "cpu")


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_weights(
    make_recipe: Make, tmp_path: Path
) -> None:
    recipe = make_recipe(optim={"steps": 24}, log={"checkpoint_every": 1, "samples_every": 24})
    train(recipe, tmp_path / "whole", "cpu")
    chance = random.Random(5)
    processes = multiprocessing.get_context("forkserver")  # so that PyTorch is imported once
    processes.set_forkserver_preload(["pleinair.train.run"])
    checkpoint = tmp_path / "killed" / "checkpoint.pt"
    for _ in range(3):
        process = processes.Process(target=train, args=(recipe, tmp_path / "killed", "cpu"))
        process.start()
        deadline = time.monotonic() + 300
        began = load_state(checkpoint)["step"] if checkpoint.exists() else 0
        while time.monotonic() < deadline and process.is_alive():
            if checkpoint.exists() and load_state(checkpoint)["step"] > began:
                break
            time.sleep(0.02)
        time.sleep(chance.random() * 0.3)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)  # it did not fail
    train(recipe, tmp_path / "killed", "cpu")
    whole, killed = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "killed"))
    assert states_equal(whole["networks"], killed["networks"])
    assert states_equal(whole, killed)


@pytest.mark.parametrize("steps", [2, 3])
def test_a_kill_right_after_a_checkpoint_loses_nothing(
    make_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """At the last step and before it."""
    recipe = make_recipe(optim={"steps": 3}, log={"checkpoint_every": 1, "samples_every": 1})
    train(recipe, tmp_path / "whole", "cpu")

    def killed(trainer: object, path: Path) -> None:
        if path.stem == f"step_{steps:06d}":
            raise OSError("the power went out")
        save_samples(trainer, path)

    with monkeypatch.context() as patched:
        patched.setattr("pleinair.train.run.save_samples", killed)
        with pytest.raises(OSError, match="power"):
            train(recipe, tmp_path / "cut", "cpu")
    (tmp_path / "cut" / "generator.pt").write_bytes(b"of the step before")
    train(recipe, tmp_path / "cut", "cpu")
    for name in ("generator.pt", *(f"samples/step_{n:06d}.jpg" for n in (1, 2, 3))):
        whole, cut = (tmp_path / folder / name for folder in ("whole", "cut"))
        assert cut.read_bytes() == whole.read_bytes(), name


def test_resume_with_another_recipe_names_the_keys(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    with pytest.raises(TrainingError, match=r"optim\.lr \(was 0\.0002, now 0\.1\)"):
        train(make_recipe(optim={"steps": 2, "lr": 0.1}), tmp_path, "cpu")


def test_a_run_can_be_made_longer_and_not_shorter(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    train(make_recipe(optim={"steps": 4}), tmp_path, "cpu")
    assert load_state(tmp_path / "checkpoint.pt")["step"] == 4
    lines = (tmp_path / "stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    with pytest.raises(TrainingError, match=r"optim\.steps \(was 4, now 3\)"):
        train(make_recipe(optim={"steps": 3}), tmp_path, "cpu")


def test_a_setting_younger_than_the_checkpoint_counts_as_its_default(
    make_recipe: Make, tmp_path: Path
) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    path = tmp_path / "checkpoint.pt"
    state = load_state(path)
    del state["recipe"]["loss"]["calm"]
    torch.save(state, path)
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    torch.save(state, path)
    with pytest.raises(TrainingError, match=r"loss\.calm \(was 0\.0, now 3\.0\)"):
        train(make_recipe(optim={"steps": 2}, loss={"calm": 3.0}), tmp_path, "cpu")


def test_a_truncated_checkpoint_is_named(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is not a readable checkpoint"):
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
    with pytest.raises(TrainingError, match="is not a readable checkpoint"):
        load_state(tmp_path / "hostile.pt")
    assert not (tmp_path / "owned").exists()


def test_both_directions_come_from_one_run(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(model={"reverse": "edge_m"}), tmp_path, "cpu")
    there, back = (load_state(tmp_path / name) for name in ("generator.pt", "reverse.pt"))
    assert (there["architecture"], there["direction"]) == ("edge_s", "forward")
    assert (back["architecture"], back["direction"]) == ("edge_m", "reverse")


def test_fine_tuning_starts_where_the_other_run_ended(make_recipe: Make, tmp_path: Path) -> None:
    first = make_recipe(optim={"steps": 3, "lr": 1e-2, "ema": 0.0})
    train(first, tmp_path / "first", "cpu")
    still = make_recipe(optim={"steps": 1, "lr": 1e-12})
    train(still, tmp_path / "second", "cpu", tmp_path / "first")
    for name in ("generator.pt", "reverse.pt"):
        was, now = (load_state(tmp_path / run / name)["state"] for run in ("first", "second"))
        assert all(torch.allclose(was[key], now[key], atol=1e-9) for key in was), name


def test_a_run_starts_from_a_bundle(make_recipe: Make, tmp_path: Path) -> None:
    recipe = make_recipe(model={"generator": "edge_s"}, optim={"steps": 1, "lr": 1e-9})
    generator = train(recipe, tmp_path / "run", "cpu", init=Path("monet-conv"))
    found, shipped = load_state(generator)["state"], load_painter("monet-conv").generator
    for name, value in shipped.state_dict().items():
        assert torch.allclose(found[name], value, atol=1e-6), name


def test_fine_tuning_of_another_architecture_is_refused(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 1}), tmp_path / "first", "cpu")
    other = make_recipe(model={"generator": "edge_l"})
    with pytest.raises(TrainingError, match=r"holds edge_s, but the recipe's model.generator is"):
        train(other, tmp_path / "second", "cpu", tmp_path / "first")
    assert not (tmp_path / "second").exists()
    with pytest.raises(UsageError, match="nowhere"):
        train(other, tmp_path / "second", "cpu", tmp_path / "nowhere")


def test_corrupt_pictures_are_named_and_skipped(make_recipe: Make, tmp_path: Path) -> None:
    shutil.copytree(make_recipe().data.root, tmp_path / "data")
    for picture in sorted((tmp_path / "data/photos").iterdir())[6:]:
        picture.unlink()  # so that six steps of two pictures see all of them
    (tmp_path / "data/photos/aaa.jpg").write_bytes(b"no picture")
    data = {"root": str(tmp_path / "data"), "max_corrupt": 0.5}
    said: list[str] = []
    train(make_recipe(data=data), tmp_path / "run", "cpu", say=said.append)
    assert [line for line in said if "aaa.jpg" in line] == [
        f"skipped {tmp_path / 'data/photos/aaa.jpg'}: it cannot be read"
    ]
    with pytest.raises(TrainingError, match=r"1 of \d+ pictures cannot be read.*aaa\.jpg"):
        train(make_recipe(data=data | {"max_corrupt": 0.01}), tmp_path / "strict", "cpu")


def test_evaluations_keep_the_best_generator(
    make_recipe: Make, tmp_path: Path, features: Path
) -> None:
    evaluate = {"every": 2, "pictures": 4, "features": str(features)}
    said: list[str] = []
    train(make_recipe(evaluate=evaluate), tmp_path, "cpu", say=said.append)
    lines = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    scored = {line["step"]: line["kid"] for line in lines if "kid" in line}
    assert scored.keys() == {2, 4, 6}
    assert len(said) == 3
    best = load_state(tmp_path / "best.pt")
    assert scored[best["step"]] == min(scored.values())


def test_evaluating_does_not_change_what_is_learnt(
    make_recipe: Make, tmp_path: Path, features: Path
) -> None:
    evaluate = {"every": 2, "pictures": 4, "features": str(features)}
    train(make_recipe(), tmp_path / "without", "cpu")
    train(make_recipe(evaluate=evaluate), tmp_path / "with", "cpu")
    one, two = (load_state(tmp_path / name / "generator.pt") for name in ("without", "with"))
    assert states_equal(one["state"], two["state"])


def test_tensorboard_gets_the_losses(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(log={"tensorboard": True}), tmp_path, "cpu")
    (events,) = (tmp_path / "tensorboard").glob("events*")
    written = events.read_bytes()
    assert b"cycle_source" in written
    assert b"samples" in written


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_from_the_double_batch(
    make_recipe: Make, tmp_path: Path
) -> None:
    """Up to rounding: gradients are summed in another order."""
    # No pool: each process has one of its own. Adam blows rounding up where a gradient is zero,
    # as that of a bias before a normalisation is: the generators have none.
    loss = {"colour": 1.0, "shift": 1.0}
    one = make_recipe(optim={"steps": 4, "batch": 4, "pool": 0}, loss=loss)
    two = make_recipe(optim={"steps": 4, "batch": 2, "pool": 0}, loss=loss)
    train(one, tmp_path / "one", "cpu")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    script = tmp_path / "run.py"
    script.write_text(RUN)
    command = [sys.executable, *launcher, str(script), two.model_dump_json()]
    subprocess.run([*command, str(tmp_path / "two")], check=True, timeout=300)
    for name in ("generator.pt", "reverse.pt"):
        a, b = (load_state(tmp_path / run / name)["state"] for run in ("one", "two"))
        assert all(torch.allclose(a[key], b[key], atol=1e-5) for key in a), name
    # It goes on as two processes, and says so if it is started as one.
    saved = load_state(tmp_path / "two" / "checkpoint.pt")
    assert len(saved["processes"]) == 2
    with pytest.raises(TrainingError, match="is of 2 processes, this run has 1"):
        train(two, tmp_path / "two", "cpu")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_after_a_whole_step(
    make_recipe: Make, tmp_path: Path, number: signal.Signals
) -> None:
    recipe = make_recipe(log={"checkpoint_every": 100})
    train(make_recipe(log={"checkpoint_every": 100}), tmp_path / "whole", "cpu")

    def interrupt(step: int, _: dict[str, float]) -> None:
        if step == 2:
            signal.raise_signal(number)  # step 3 is finished before it is answered

    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match=r"^step 3 of .* the same command goes on$"):
        train(recipe, tmp_path / "parts", "cpu", report=interrupt)
    assert signal.getsignal(number) is before
    assert load_state(tmp_path / "parts/checkpoint.pt")["step"] == 3
    train(recipe, tmp_path / "parts", "cpu")
    whole, parts = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    assert states_equal(whole, parts)


def test_a_signal_to_the_whole_group_ends_a_run_after_a_step(
    make_recipe: Make, tmp_path: Path
) -> None:
    """As of Ctrl-C in a terminal, or of a cluster: those that load pictures get it too."""
    recipe = make_recipe(optim={"steps": 10**6}, data={"workers": 1})
    command = [sys.executable, "-c", RUN, recipe.model_dump_json(), str(tmp_path)]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    stats, deadline = tmp_path / "stats.jsonl", time.monotonic() + 300
    while not (stats.exists() and stats.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, said = process.communicate(timeout=300)
    last = said.rstrip().rpartition("\n")[2]
    assert re.fullmatch(
        r"KeyboardInterrupt: step \d+ of 1000000 is saved: the same command goes on", last
    )
    assert load_state(tmp_path / "checkpoint.pt")["step"] >= 1


def test_a_run_whose_loaders_are_killed_says_so_and_goes_on(
    make_recipe: Make, tmp_path: Path
) -> None:
    recipe = make_recipe(optim={"steps": 12}, data={"workers": 1}, log={"checkpoint_every": 1})

    def kill(step: int, _: dict[str, float]) -> None:
        if step == 2:
            for loader in multiprocessing.active_children():
                loader.kill()

    with pytest.raises(TrainingError, match="a process that reads pictures has ended at step"):
        train(recipe, tmp_path, "cpu", report=kill)
    assert load_state(tmp_path / "checkpoint.pt")["step"] >= 2
    train(recipe, tmp_path, "cpu")
    assert load_state(tmp_path / "checkpoint.pt")["step"] == 12


def test_processes_end_when_one_of_them_fails(make_recipe: Make, tmp_path: Path) -> None:
    shutil.copytree(DATA, tmp_path / "data")
    (tmp_path / "data" / "photos" / "05.jpg").write_text("no picture")
    data = {"root": str(tmp_path / "data"), "crop": 32, "max_corrupt": 0}
    recipe = make_recipe(data=data, optim={"steps": 100}, compute={"devices": 2})
    (tmp_path / "run.py").write_text(RUN)
    command = [sys.executable, tmp_path / "run.py", recipe.model_dump_json(), tmp_path / "run"]
    done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode != 0
    assert "05.jpg" in done.stderr
    assert "TrainingError: another process of this run has ended" in done.stderr


def test_what_a_run_will_need_later_is_missed_at_once(make_recipe: Make, tmp_path: Path) -> None:
    for changes, said in (
        ({"data": {"samples": "nowhere"}}, "nowhere does not exist"),
        ({"evaluate": {"every": 5, "source": "gone"}}, "gone does not exist"),
        ({"evaluate": {"every": 5, "features": str(tmp_path / "no.onnx")}}, r"no\.onnx does not"),
    ):
        with pytest.raises(PleinairError, match=said):
            train(make_recipe(**changes), tmp_path / "run", "cpu")
    assert not (tmp_path / "run").exists()


def test_weights_that_are_no_numbers_are_not_saved(make_recipe: Make, tmp_path: Path) -> None:
    train(make_recipe(optim={"steps": 2}), tmp_path, "cpu")
    recipe = make_recipe()
    trainer = Trainer(recipe, make_fabric(recipe.compute, "cpu"))
    with torch.no_grad():
        next(trainer.networks["generator"].parameters())[0] = float("nan")
    tally = CorruptTally(total=32, max_share=0.01)
    with Stats(tmp_path, 2, recipe.log) as stats:
        loop = _Loop(trainer, tmp_path, stats, tally, print, print, None)
        with pytest.raises(TrainingError, match="a weight of the generator is not finite"):
            loop.save()
    assert load_state(tmp_path / "checkpoint.pt")["step"] == 2
