"""What `pleinair serve` sends, and to whom."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from pleinair.bundle.bundle import Bundle
from pleinair.deploy.web import certificate
from pleinair.deploy.web.server import HEADERS, SiteServer


def test_files_come_with_types_and_isolated(site, served):
    address = served(site)
    for name, kind in (
        ("", "text/html"), ("app/main.js", "text/javascript"), ("sw.js", "text/javascript"),
        ("ort/ort.wasm.min.mjs", "text/javascript"), ("app/style.css", "text/css"),
        ("ort/ort-wasm-simd-threaded.wasm", "application/wasm"), ("check.png", "image/png"),
        ("int8.web.onnx", "application/octet-stream"), ("manifest.json", "application/json"),
        ("app.webmanifest", "application/manifest+json"),
    ):  # fmt: skip
        with urlopen(address + name) as answer:
            assert answer.headers.get_content_type() == kind
            assert HEADERS.items() <= dict(answer.headers.items()).items()
            assert answer.read() == (site / (name or "index.html")).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/ort/",
        "/../manifest.json",
        "/%2e%2e/%2e%2e/etc",
        "/%00",
        "/index.html%00.txt",
        "/" + "a" * 300,
    ],
)
def test_nothing_else_is_served(site, served, path):
    address = urlsplit(served(site))
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 404 or path == "/../manifest.json"  # which is the site's own
    connection.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_not_waited_for(copied, served):
    address = urlsplit(served(copied))
    os.mkfifo(copied / "pipe")
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request("GET", "/pipe")
    assert connection.getresponse().status == 404
    connection.close()


def test_a_zip_is_served(site, tmp_path, served):
    packed = shutil.make_archive(str(tmp_path / "site"), "zip", site)
    with urlopen(served(packed) + "index.html") as answer:
        assert b"Monet, convolutional, live" in answer.read()


def test_phones_get_https_by_a_kept_certificate(site, served):
    pytest.importorskip("cryptography")
    address = urlsplit(served(site, https=True))
    made = certificate.make(certificate.names())
    assert made.path.stat().st_mode & 0o077 == 0  # the key is in it
    context = ssl.create_default_context(cafile=str(made.path))
    with urlopen(address.geturl(), context=context) as answer:  # it names localhost
        assert b"Monet, convolutional, live" in answer.read()
    again = certificate.make(certificate.names())
    assert again.fingerprint == made.fingerprint
    other = certificate.make(["localhost", "192.168.1.7"])
    assert other.fingerprint != made.fingerprint
    context = ssl.create_default_context(cafile=str(other.path))
    with pytest.raises(OSError, match="certificate"):
        urlopen(address.geturl(), context=context)


def test_a_silent_client_holds_up_nobody(site, served):
    pytest.importorskip("cryptography")
    address = urlsplit(served(site, https=True))
    context = ssl._create_unverified_context()
    with (
        socket.create_connection((address.hostname, address.port)),  # never shakes hands
        urlopen(address.geturl(), context=context, timeout=20) as answer,
    ):
        assert answer.status == 200


def test_interrupted_it_ends(site):
    command = [sys.executable, "-m", "pleinair", "serve", str(site), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line.startswith("open http://localhost:")
    with urlopen(line.split()[1]) as answer:
        assert answer.status == 200
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(60) == 130
    assert "Traceback" not in process.stderr.read()


# --- what goes wrong ---


def test_a_bundle_that_is_no_site(cli):
    done = cli("serve", "monet-conv")
    assert done.code == 1
    assert "pleinair export monet-conv --target web --out site" in done.error()


def test_a_folder_that_is_no_bundle(cli, tmp_path):
    assert "it has no manifest.json" in cli("serve", tmp_path).error()
    done = cli("serve", tmp_path / "nothing")
    assert done.code == 2


@pytest.mark.parametrize("name", ["index.html", "files.js"])
def test_a_site_that_is_not_whole(copied, cli, name):
    (copied / name).unlink()
    done = cli("serve", copied)
    assert done.code == 1
    assert f"not a complete site: {name} is missing; export it again" in done.error()


def test_a_site_whose_model_was_changed(copied, cli):
    path = copied / Bundle.open(copied).manifest.artifacts[0].path
    path.write_bytes(path.read_bytes() + b" ")
    assert "was changed or damaged" in cli("serve", copied).error()


def test_a_port_in_use(site, cli):
    server = SiteServer(site, 0)
    try:
        port = urlsplit(server.addresses[0]).port
        done = cli("serve", site, "--port", port)
        assert done.code == 1
        assert done.error() == f"port {port} is in use; give another with --port"
    finally:
        server.release()


def test_a_port_that_is_none(site, cli):
    assert "65535" in cli("serve", site, "--port", 70_000).error()


def test_https_without_what_makes_certificates(site, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    done = cli("serve", site, "--port", "0", "--https")
    assert done.code == 1
    assert 'pip install "pleinair[serve]"' in done.error()


@pytest.mark.parametrize(
    "name",
    ["link", "app/link", "folder/passwd", ".hidden", ".git/config", "", "linked/", "old/", "deep/"],
)
def test_no_link_and_nothing_hidden_is_served(site, tmp_path, served, name):
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    (tmp_path / "passwd").write_text("secret")
    (copy / "link").symlink_to(tmp_path / "passwd")
    (copy / "app" / "link").symlink_to("../index.html")
    (copy / "folder").symlink_to(tmp_path)
    (copy / "index.html").unlink()
    for index in ("index.html", "linked/index.html", "old/index.htm"):  # which Python looks for
        (copy / index).parent.mkdir(exist_ok=True)
        (copy / index).symlink_to(tmp_path / "passwd")
    (copy / "deep" / "index.html").mkdir(parents=True)
    (copy / ".hidden").write_text("secret")
    (copy / ".git").mkdir()
    (copy / ".git" / "config").write_text("secret")
    with pytest.raises(HTTPError, match="404"):
        urlopen(served(copy) + name)


def test_a_site_behind_a_link_of_the_users_own_is_served(site, tmp_path, served):
    (tmp_path / "here").symlink_to(site)
    with urlopen(served(tmp_path / "here") + "app/main.js") as answer:
        assert answer.read() == (site / "app" / "main.js").read_bytes()
