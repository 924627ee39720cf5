"""Every command on every page is one that pleinair knows, and is run here or says why not."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer
from pleinair.bundle.resolve import SHIPPED
from pleinair.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "tools/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
PROGRAMS = re.compile(
    r"(pleinair|python|pip|pipx|uvx|py|make|git|cd|docker|sudo|source|pre-commit|mkdocs|"
    r"tools/\S+|\.ci/\S+|\.venv-demo\S+) ?"
)
# Why a command is not run by the tests: the first that matches counts.
NOT_RUN = {
    r"make |\.ci/run": "makes environments; CI runs it",
    r"(python -m )?pip |pipx |uvx |py |\.venv-demo|python -m build": "installs; CI runs it",
    r"pre-commit |git |cd |source ": "sets up the checkout",
    r"sudo ": "changes the system",
    r"docker ": "needs Docker; CI runs it",
    r"python -m pleinair.tools.(attack|soak)": "takes hours: tests/tools has small parts",
    r"pleinair .*--engine ray": "needs a cluster: tests/runtime/translate/test_ray.py",
    r"pleinair live .*virtual-camera": "needs a device: tests/runtime/sinks",
    r"pleinair live .*--camera": "needs a camera: tests/runtime/sources",
    r"pleinair train (?!smoke|--list)": "takes hours: tests/train/test_recipes.py begins each",
    r"pleinair import": "needs a checkpoint: tests/networks/test_foreign.py",
    r"pleinair evaluate": "needs features of 96 MB: tests/evaluation",
    r"pleinair export": "takes minutes: tests/export, and npm for sites: tests/deploy/web",
    r"pleinair verify (?!bundles)": "paints the demo clip: tests/runtime/test_verify.py",
    r"pleinair demo": "paints the demo clip: tests/runtime/test_verify.py; CI runs it, too",
    r"pleinair generators": "counts the operations of each: tests/networks/test_describe.py",
    r"pleinair deploy": "takes minutes: tests/deploy/jetson",
    r"pleinair serve": "runs until Ctrl-C: tests/deploy/web",
    r"pleinair bench (compare|table (?!docs))": "needs results: tests/benchmarks/results",
    r"pleinair bench .*--quick": "takes a minute: tests/api",
    r"pleinair bench (?!table)": "takes minutes: tests/benchmarks/test_run.py",
    r"python tools/devices.py": "changes the checkout: tests/tools/test_devices.py",
    r"(python )?tools/": "measures for minutes, or needs a machine; tests/tools",
    r"python -m pytest": "is the tests",
}
# What makes a command short, without camera and display. Of an option given twice the last counts.
SHORTER = {
    r"pleinair translate": "--model monet-conv --backend onnxruntime --precision int8 --overwrite",
    r"pleinair live(?!.*--sink)": "--sink null",
    r"pleinair live(?!.*--model)": "--model monet-conv",
    r"pleinair live(?! film)": "--source film.mp4",
    r"pleinair live": "--backend onnxruntime --duration 0.3",
    r"pleinair verify": "--pictures photo.jpg",
    r"pleinair train smoke": "--set optim.steps=2 --set log.samples_every=2",
}


def commands() -> list[tuple[str, str]]:
    """Returns each page's commands, without the comments behind them."""
    found = []
    for page in PAGES:
        text = re.sub(r" *\\\n +", " ", page.read_text(encoding="utf-8"))
        shells = "\n".join(re.findall(r"```(?:sh|powershell|console)\n(.*?)```", text, re.DOTALL))
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        lines = [*re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE), *shells.splitlines()]
        for line in lines:
            command = re.sub(r"\s+# .*", "", line).strip()
            if PROGRAMS.match(command):
                found.append((page.relative_to(ROOT).as_posix(), command))
    return found


def reason_not_to_run(command: str) -> str | None:
    return next((why for rule, why in NOT_RUN.items() if re.match(rule, command + " ")), None)


COMMANDS = commands()
OURS = sorted({command for _, command in COMMANDS if command.startswith("pleinair ")})
RUN = sorted({command for _, command in COMMANDS if not reason_not_to_run(command)})


def test_there_are_commands():
    assert len(COMMANDS) > 100
    assert len(RUN) > 18
    assert all(command.startswith("pleinair ") for command in RUN)


@pytest.mark.parametrize("table", [NOT_RUN, SHORTER], ids=["not run", "shorter"])
def test_every_rule_is_needed(table):
    texts = [command + " " for _, command in COMMANDS]
    assert [rule for rule in table if not any(re.match(rule, t) for t in texts)] == []


def test_every_reason_names_what_is_there():
    named = re.findall(r"tests/[\w/.]+", " ".join(NOT_RUN.values()))
    assert [path for path in named if not (ROOT / path.rstrip(".")).exists()] == []


def test_every_script_that_a_page_names_is_there():
    named = {(page, path) for page, c in COMMANDS for path in re.findall(r"\btools/\w+\.\w+", c)}
    assert [(page, path) for page, path in named if not (ROOT / path).is_file()] == []


@pytest.fixture(scope="module")
def program():
    """The command line, whose verbs do nothing."""

    def still(command):
        if hasattr(command, "commands"):
            for verb in command.commands.values():
                still(verb)
        else:
            command.callback = lambda **_: None

    made = typer.main.get_command(app)
    still(made)
    return made


@pytest.mark.parametrize("command", OURS)
def test_a_command_is_one_that_pleinair_knows(program, command):
    arguments = shlex.split(command)[1:]
    program.main(arguments, prog_name="pleinair", standalone_mode=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What the pages take for granted: pictures, films, a bundle, a run's place."""
    return tmp_path_factory.mktemp("docs")


@pytest.fixture
def place(files, photos, make_video, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(files / "config"))
    if not (files / "photo.jpg").exists():
        shutil.copy(photos / "00.jpg", "photo.jpg")
        (files / "holiday" / "beach").mkdir(parents=True)
        shutil.copy(photos / "01.jpg", "holiday")
        shutil.copy(photos / "02.jpg", "holiday/beach")
        make_video(files / "film.mp4", (64, 48), frames=30, audio="aac")
        make_video(files / "film.mkv", (64, 48), frames=95, times=[25 * i for i in range(95)])
        shutil.copytree(SHIPPED / "monet-conv", "bundles/mine")
        for name in ("docs", "README.md", "tests/data"):
            where = files / name
            where.parent.mkdir(exist_ok=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, where)
    return files


@pytest.mark.parametrize("command", RUN)
def test_a_command_runs(place, cli, command):
    command = command.replace("--model runs/mine", "--model bundles/mine")
    command = re.sub(
        r"--sink http(:0\.0\.0\.0)?(:\d+)?", r"--sink http\1:0", command
    )  # any free port
    shorter = [more for rule, more in SHORTER.items() if re.match(rule, command)]
    done = cli(*shlex.split(" ".join([command, *shorter]))[1:])
    assert done.code == 0, done.err
