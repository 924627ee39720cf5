"""Strangers that are slow, silent or many do not wear a server out."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from urllib.request import urlopen

import pytest
from pleinair.runtime import limited_server
from pleinair.runtime.limited_server import LimitedHandler, LimitedServer

PATIENCE = (
    10  # seconds until it is closed at the latest; 0.8 are allowed here, on machines under load
)


class Hello(LimitedHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(2)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(limited_server, "HEAD", 0.8)
    monkeypatch.setattr(limited_server, "MOST", 8)
    monkeypatch.setattr(limited_server, "_EVERY", 0.05)
    made = LimitedServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


def connected(server) -> socket.socket:
    return socket.create_connection(server.server_address, timeout=10)


def closed_after(client: socket.socket, drip: bytes = b"") -> float:
    """Seconds until the server closes a connection that sends a byte now and then."""
    started = time.monotonic()
    client.settimeout(0.2)
    while time.monotonic() - started < 2 * PATIENCE:
        try:
            if drip:
                client.send(drip)
            if client.recv(1000) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - started


@pytest.mark.parametrize("head", [b"", b"G", b"GET / HTTP/1.1\r\nA: b", b"POST / HTTP/1.1\r\n"])
def test_a_head_that_does_not_come_to_an_end(server, head):
    with connected(server) as client:
        client.sendall(head)
        assert 0.5 < closed_after(client, b"a" if head else b"") < PATIENCE


def test_a_body_that_does_not_come_to_an_end(server):
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
        assert closed_after(client, b"a") < PATIENCE


@pytest.mark.parametrize("lines", [3, 90])  # Python's own limits are 64 KiB a line, and 100
def test_a_head_of_megabytes(server, lines):
    with connected(server) as client, contextlib.suppress(OSError):
        client.sendall(b"GET / HTTP/1.1\r\n")
        for number in range(lines):
            client.sendall(b"A%d: " % number + b"a" * 60_000 + b"\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 431")


def test_many_short_requests_on_one_connection(server):
    one = b"GET / HTTP/1.1\r\nA: " + b"a" * 50_000 + b"\r\n\r\n"
    with connected(server) as client:
        for _ in range(5):  # together longer than a head may be
            client.sendall(one)
            answer = b""
            while b"hello" not in answer:
                answer += client.recv(1000)


def test_a_connection_that_stays_open_for_nothing(server):
    with connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b""
        while b"hello" not in answer:  # its head may come alone
            answer += client.recv(1000)
        assert closed_after(client) < PATIENCE


def test_an_answer_may_take_longer_than_a_request(server):
    host, port = server.server_address
    with urlopen(f"http://{host}:{port}/slow") as answer:
        assert answer.read() == b"hello"


def test_more_than_there_are_threads_for(server):
    before = threading.active_count()
    clients = [connected(server) for _ in range(60)]
    time.sleep(0.3)
    assert threading.active_count() <= before + 8
    for client in clients:
        client.close()
    host, port = server.server_address
    for _ in range(50):  # and then there is room again
        with contextlib.suppress(OSError), urlopen(f"http://{host}:{port}/") as answer:
            assert answer.read() == b"hello"
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the server does not answer any more")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(
            (host, 200)
            for host in ("localhost", "127.0.0.1:9", "[::1]:80", "a.localhost", "LOCALHOST.")
        ),
        *(
            (host, 421)
            for host in ("evil.example", "127.0.0.1.evil.example:80", "", "[", "x@evil.org")
        ),
    ],
)
def test_other_names_are_not_answered(server, host, status):
    """DNS can lead a stranger's name here, and so a stranger's page."""
    assert answer(server, "GET", {"Host": host}) == status


def test_names_of_this_machine_are_answered(server):
    name = socket.gethostname()
    assert [answer(server, "GET", {"Host": host}) for host in (name, f"{name}.local:80")] == [
        200,
        200,
    ]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_pages_of_other_sites_may_not_post(server, origin):
    host = f"127.0.0.1:{server.server_address[1]}"
    for said, status in ((origin, 403), (f"http://{host}", 200)):
        assert answer(server, "POST", {"Host": host, "Origin": said}) == status


def answer(server, method: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.request(method, "/", b"" if method == "POST" else None, headers)
    with contextlib.closing(connection):
        return connection.getresponse().status
