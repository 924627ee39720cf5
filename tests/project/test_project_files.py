"""The files around the code agree with it and with each other."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pleinair
import pytest

yaml = pytest.importorskip("yaml")
ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
REPOSITORY = PROJECT["project"]["urls"]["Source"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_stands_in_one_place_and_is_repeated_rightly():
    assert "version" in PROJECT["project"]["dynamic"]
    assert yaml.safe_load(read("CITATION.cff"))["version"] == pleinair.__version__
    assert f"## [{pleinair.__version__}]" in read("CHANGELOG.md")


def test_no_module_hides_a_library_from_commands_that_run_in_the_checkout():
    """Python looks in the folder of `python -m ...` first, which is the package here."""
    ours = {path.stem for path in ROOT.glob("*.py")}
    ours |= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    theirs = {*sys.stdlib_module_names, *metadata.packages_distributions(), "markdown"}
    assert ours & theirs == {"__init__", "__main__"} & theirs


def test_the_changelog_links_each_version():
    text = read("CHANGELOG.md")
    versions = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert [v for v in versions if f"[{v}]: {REPOSITORY}/" not in text] == []


def test_one_address_of_the_repository():
    files = subprocess.run(
        ["git", "ls-files", "*.md", "*.yml", "*.yaml", "*.cff", "*.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if files.returncode:
        pytest.skip("no checkout")
    found = {
        address
        for name in files.stdout.split()
        for address in re.findall(r"https://github\.com/[\w-]+/pleinair\b", read(name))
    }
    assert found == {REPOSITORY}


def test_python_versions_are_the_same_everywhere():
    classified = [c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if ":: 3." in c]
    tested = yaml.safe_load(read(".github/workflows/tests.yml"))["jobs"]["tests"]
    assert tested["strategy"]["matrix"]["python"] == classified
    assert PROJECT["project"]["requires-python"] == f">={classified[0]}"
    assert f"NEEDED = ({classified[0].replace('.', ', ')})" in read(".ci/environment.py")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_no_more_than_it_must(path):
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        for step in job.get("steps", ()):
            assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v1)", step["uses"])
            # What others choose, a branch say, comes by the environment, never in a script.
            assert "github.event." not in step.get("run", "")
            assert "github.ref" not in step.get("run", "")


def test_extras_that_commands_name_are_there():
    extras = PROJECT["project"]["optional-dependencies"]
    named = {
        extra
        for path in (*WORKFLOWS, ROOT / "Makefile")
        for group in re.findall(r'"\.\[([\w,-]+)\]"', path.read_text())
        for extra in group.split(",")
    }
    assert named
    assert named <= set(extras)


@pytest.mark.parametrize("form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")))
def test_a_form_has_what_github_asks_for(form):
    value = yaml.safe_load(form.read_text())
    if form.stem == "config":
        assert all(set(link) == {"name", "url", "about"} for link in value["contact_links"])
        return
    assert {"name", "description", "body"} <= set(value)
    ids = [field["id"] for field in value["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in value["body"])
