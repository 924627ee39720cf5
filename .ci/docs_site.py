"""Hooks of the documentation's site: what MkDocs does not do by itself.

Documents are read in the repository, too, so their links are relative paths in it. On the site,
what lies outside docs/ is either a page of its own (ROOT_PAGES) or a link to the repository. A link
to what is not there is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
ROOT_PAGES = {
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "tools/README.md": "tools.md",
}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
COMMANDS = "reference/command-line.md"


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made of something else."""
    for name, page in ROOT_PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    files.append(File.generated(config, COMMANDS, content=command_line()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turns links out of docs/ into links of the site."""
    uri = page.file.src_uri
    source = next((name for name, page in ROOT_PAGES.items() if page == uri), f"docs/{uri}")
    here = (ROOT / source).parent

    def place(found: re.Match[str]) -> str:
        target = Path(os.path.normpath(here / found[1]))
        anchor = found[2] or ""
        if not target.exists():
            raise PluginError(f"{source} links to {found[1]}, which does not exist")
        name = target.relative_to(ROOT).as_posix()
        if on_site := _page_of(name, target):
            return Path(os.path.relpath(DOCS / on_site, (DOCS / uri).parent)).as_posix() + anchor
        kind = "tree" if target.is_dir() else "blob"
        return f"{config['repo_url']}/{kind}/main/{name}{anchor}"

    return markdown if uri == COMMANDS else LINK.sub(place, markdown)


def _page_of(name: str, target: Path) -> str | None:
    """Returns the page that a file of the repository becomes; None if it becomes none."""
    if name in ROOT_PAGES:
        return ROOT_PAGES[name]
    if not target.is_relative_to(DOCS) or target.suffix in ("", ".json"):
        return None
    return target.relative_to(DOCS).as_posix()


def command_line() -> str:
    """Returns the page of all verbs and their options, from what ``--help`` knows."""
    from pleinair.cli.main import app

    program = typer.main.get_command(app)
    title = "# Command line\n\nEvery verb, as `--help` says it. `--debug` shows tracebacks.\n"
    return title + "\n".join(_verbs(program, "pleinair"))


def _verbs(command: Any, path: str) -> Iterator[str]:
    for name, verb in sorted(command.commands.items()):
        if hasattr(verb, "commands"):
            yield from _verbs(verb, f"{path} {name}")
        else:
            yield _verb(verb, f"{path} {name}")


def _verb(verb: Any, path: str) -> str:
    arguments = [p for p in verb.params if p.param_type_name == "argument"]
    options = [p for p in verb.params if p.param_type_name == "option"]
    named = {p: p.metavar or p.name.upper() for p in arguments}
    usage = " ".join([path, *named.values(), "[OPTIONS]"])
    rows = [f"| `{named[p]}` | {_cell(p.help)} | |" for p in arguments]
    for option in options:
        names = ", ".join(f"`{n}`" for n in (*option.opts, *option.secondary_opts))
        default = "" if option.default in (None, False, (), "") else f"`{option.default}`"
        rows.append(f"| {names} | {_cell(option.help)} | {default} |")
    table = "\n".join(["| | | unless given |", "|---|---|---|", *rows])
    title = path.removeprefix("pleinair ")
    return f"\n## {title}\n\n```text\n{usage}\n```\n\n{verb.help}\n\n{table}\n"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")
