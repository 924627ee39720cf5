from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from pleinair.deploy.web.server import SiteServer
from pleinair.errors import ExportError
from pleinair.export.targets.web.own_graphs import export_site


@pytest.fixture(scope="session")
def site(once_a_run) -> Path:
    """The shipped model's site."""

    def fill(folder: Path) -> None:
        try:
            assert export_site("monet-conv", folder / "site")
        except ExportError as error:  # neither npm nor a network
            (folder / "missing").write_text(str(error))

    folder = once_a_run("web", fill)
    if (folder / "missing").exists():
        pytest.skip((folder / "missing").read_text())
    return folder / "site"


@pytest.fixture
def copied(site, tmp_path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(site, tmp_path / "site"))


@pytest.fixture
def served():
    """Serves sites until the test is over; returns where."""
    servers = []

    def serve(folder: Path, **options) -> str:
        server = SiteServer(folder, 0, **options)
        servers.append(server)
        threading.Thread(target=server.run, daemon=True).start()
        return server.addresses[0]

    yield serve
    for server in servers:
        server.close()
