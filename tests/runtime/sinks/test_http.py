from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from urllib.parse import urlparse

import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.live.live import Look, live
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sources.source import EmptySource


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


class Server:
    """A page, and a thread that gives it a picture every few milliseconds."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.controls = Controls(styles=["monet", "other"])
        self.sink = open_sinks(
            ["http:0"], EmptySource(), self.controls, lambda: "monet", self.said.append
        )
        self.url = urlparse(self.sink.url)
        self.written = 0
        self.slowest = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._feed)
        self.thread.start()

    def _feed(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3), np.uint8)
        while not self.ended.wait(0.01):
            start = time.perf_counter()
            self.sink.write(Frame(np.roll(noise, self.written, 1), self.written))
            self.slowest = max(self.slowest, time.perf_counter() - start)
            self.written += 1

    def ask(self, name, method="GET", body=None, token=None):
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        path = self.url.path if token is None else f"/{token}/"
        connection.request(method, path + name, body)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.sink.finish()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


def pictures_of(stream, count: int) -> list[np.ndarray]:
    """Reads pictures as a browser does: by their lengths."""
    found = []
    while len(found) < count:
        line = stream.readline()
        if line.lower().startswith(b"content-length:"):
            assert stream.readline() == b"\r\n"
            data = stream.read(int(line.split(b":")[1]))
            found.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))
    return found


def open_stream(server):
    connection = http.client.HTTPConnection(server.url.hostname, server.url.port, timeout=60)
    connection.request("GET", server.url.path + "stream")
    return connection, connection.getresponse()


def test_the_page_and_a_picture(server):
    assert server.said == [f"open {server.sink.url}"]
    assert server.url.hostname == "127.0.0.1"
    status, body, headers = server.ask("")
    assert status == 200
    assert b"<title>pleinair</title>" in body
    assert b"http://" not in body and b"https://" not in body  # it loads nothing from elsewhere
    assert headers["Cache-Control"] == "no-store"
    status, body, headers = server.ask("frame.jpg")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR).shape == (360, 640, 3)


def test_two_viewers_get_the_newest_pictures(server):
    streams = [open_stream(server) for _ in range(2)]
    for _, stream in streams:
        kind = stream.headers["Content-Type"]
        assert re.fullmatch("multipart/x-mixed-replace; boundary=frame", kind)
        pictures = pictures_of(stream, 5)
        assert all(picture.shape == (360, 640, 3) for picture in pictures)
        assert not np.array_equal(pictures[0], pictures[-1])
    assert json.loads(server.ask("status")[1])["viewers"] == 2
    for connection, stream in streams:
        stream.close()
        connection.close()
    end = time.monotonic() + 60
    while server.sink.viewers and time.monotonic() < end:
        time.sleep(0.02)
    assert server.sink.viewers == 0  # a viewer that went away is no trouble


def test_a_slow_viewer_never_slows_the_pipeline(server):
    slow, _ = open_stream(server)  # it asks, and reads nothing
    connection, quick = open_stream(server)
    pictures_of(quick, 3)
    before = server.written
    pictures_of(quick, 40)  # some of the first may have been on their way before
    assert server.written - before >= 30
    assert server.slowest < 10  # who reads nothing is waited for twice as long
    slow.close()
    connection.close()


def test_controls(server):
    status, body, _ = server.ask("controls", "POST", json.dumps({"strength": 0.3, "mirror": True}))
    assert status == 200
    assert json.loads(body)["strength"] == 0.3
    assert (server.controls.strength, server.controls.mirror) == (0.3, True)
    status, _, _ = server.ask("controls", "POST", json.dumps({"style": "other", "divider": 0.25}))
    assert (status, server.controls.style, server.controls.divider) == (200, "other", 0.25)
    assert server.controls.compare
    assert server.ask("controls", "POST", json.dumps({"divider": 0.5, "compare": False}))[0] == 200
    assert not server.controls.compare
    while server.written < 3:
        time.sleep(0.01)
    found = json.loads(server.ask("status")[1])
    assert {"fps", "delay_ms", "size", "what", "viewers", "styles", "message"} <= set(found)
    assert found["size"] == [640, 360]
    assert found["fps"] > 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"strength": 2}', "strength must be a number from 0 to 1"),
        ('{"strength": true}', "strength must be a number"),
        ('{"strength": NaN}', "strength must be a number"),
        ('{"mirror": 1}', "mirror must be true or false"),
        ('{"style": "../etc"}', "unknown style"),
        ('{"strenght": 1}', "did you mean 'strength'"),
        ('{"quit": true}', "unknown control 'quit'"),
        ('{"strength": 0.1, "mirror": 3}', "mirror must be"),
        ("[1]", "one JSON object"),
        ("{", "Expecting"),
        ("\xff", ""),
    ],
)
def test_controls_that_are_none(server, body, message):
    status, said, _ = server.ask("controls", "POST", body.encode("latin-1"))
    assert status == 400
    assert message in json.loads(said)["error"]
    assert server.controls.strength == 1.0  # nothing of it was done


@pytest.mark.parametrize("name", ["", "stream", "status", "frame.jpg", "controls"])
@pytest.mark.parametrize("token", ["", "x", "%00", "é".encode().hex()])
def test_nothing_without_the_token(server, name, token):
    for method in ("GET", "POST"):
        status, body, _ = server.ask(name, method, "{}", token)
        assert (status, body) == (404, b"")


@pytest.mark.parametrize("length", ["99999999", "-1", "x"])
def test_a_body_that_is_too_long_is_not_read(server, length):
    with socket.create_connection((server.url.hostname, server.url.port), 10) as connection:
        head = f"POST {server.url.path}controls HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_what_is_no_http_hurts_nobody(server, capfd):
    with socket.create_connection((server.url.hostname, server.url.port), 10) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        connection.recv(1000)
    assert server.ask("status")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_port_in_use(server):
    with pytest.raises(MediaError, match=r"port \d+ is in use; give another: --sink http:PORT"):
        open_sinks([f"http:{server.url.port}"], EmptySource())


@pytest.mark.parametrize("address", ["http:x", "http:1.2.3.4", "http:127.0.0.1:99999", "http:-1"])
def test_an_address_that_is_none(address):
    with pytest.raises(UsageError, match="has no port; write http:PORT or http:HOST:PORT"):
        open_sinks([address], EmptySource())


def test_a_host_that_is_not_this_machines():
    with pytest.raises(MediaError, match=r"no page can be served at 203\.0\.113\.1:8080"):
        open_sinks(["http:203.0.113.1:8080"], EmptySource())


def test_live_over_http(demo_clip):
    """Strength is changed from the page while the clip plays."""
    seen, visits = [], []
    controls = Controls(strength=0.0)

    def look(sentence):
        if not sentence.startswith("open "):  # it also says that the page ends with the clip
            return
        url = urlparse(sentence.removeprefix("open "))

        def visit():
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
            connection.request("POST", url.path + "controls", '{"strength": 0.25}')
            connection.getresponse().read()
            connection.request("GET", url.path + "stream")
            seen.extend(pictures_of(connection.getresponse(), 3))
            connection.close()
            controls.quit = True

        visits.append(threading.Thread(target=visit))
        visits[0].start()

    result = live(
        str(demo_clip), "http:0", "monet-conv", backend="onnxruntime", precision="int8",
        controls=controls, look=Look(size=(160, 90)), duration=60, loop=True, say=look,
    )  # fmt: skip
    visits[0].join()
    assert result.report.frames >= 3
    assert [picture.shape for picture in seen] == [(90, 160, 3)] * 3
    assert controls.strength == 0.25


@pytest.mark.parametrize("name", ["", "status", "frame.jpg", "stream", "nothing"])
def test_head_is_answered_like_get_without_a_body(server, name):
    status, body, headers = server.ask(name, "HEAD")
    assert body == b""
    assert headers["Cache-Control"] == "no-store"
    assert "text/html" not in headers["Content-Type"] or int(headers["Content-Length"]) > 1000
    if name != "stream":  # which ends with its viewer
        like, _, answered = server.ask(name)
        assert (status, headers["Content-Type"]) == (like, answered["Content-Type"])
    assert status == (404 if name == "nothing" else 200)
    assert server.ask("", "HEAD", token="guessed-it")[0] == 404


def test_the_address_works_without_its_slash(server):
    """The page asks for what lies below its address."""
    connection = http.client.HTTPConnection(server.url.hostname, server.url.port, timeout=60)
    connection.request("GET", server.url.path.rstrip("/") + "?x=1")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, server.url.path)
    answer.read()
    connection.request("GET", "/wrong")
    assert connection.getresponse().status == 404


def test_a_token_of_ones_own_is_kept():
    for _ in range(2):
        with open_sinks(["http:0/my-own_token"], EmptySource()) as sink:
            assert urlparse(sink.url).path == "/my-own_token/"


@pytest.mark.parametrize("token", ["short", "with space in it", "a/b/c/d/e/f", "ü" * 9, "x" * 65])
def test_a_token_that_is_none(token):
    with pytest.raises(UsageError, match="a token is 8 to 64 letters"):
        open_sinks([f"http:0/{token}"], EmptySource())


def test_the_address_in_the_network_is_said_with_a_code_for_phones():
    said = []
    with open_sinks(["http:0.0.0.0:0"], EmptySource(), say=said.append) as sink:
        here, shared = urlparse(sink.url), urlparse(sink.shared)
        assert (here.hostname, here.path) == ("127.0.0.1", shared.path)
        assert said[0] == f"open {sink.url}"
        assert said[1].startswith(f"from this network: {sink.shared}\n")
        assert scanned(blocks_to_picture(said[1].split("\n", 1)[1])) == sink.shared
        connection = http.client.HTTPConnection("127.0.0.1", here.port, timeout=60)
        connection.request("GET", here.path + "qr.png")
        png = np.frombuffer(connection.getresponse().read(), np.uint8)
        assert scanned(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)) == sink.shared


def test_a_page_for_this_machine_has_no_code(server):
    assert server.ask("qr.png")[0] == 404
    assert json.loads(server.ask("status")[1])["shared"] == ""


def scanned(picture: np.ndarray) -> str:
    return cv2.QRCodeDetector().detectAndDecode(picture)[0]


def blocks_to_picture(text: str) -> np.ndarray:
    """What a dark terminal shows of half blocks."""
    upper = [[block in "█▀" for block in line] for line in text.splitlines()]
    lower = [[block in "█▄" for block in line] for line in text.splitlines()]
    rows = np.stack([upper, lower], 1).reshape(-1, len(upper[0]))
    return (rows * np.uint8(255)).repeat(8, 0).repeat(8, 1)


def test_viewers_who_leave_before_there_is_a_picture_are_forgotten(server):
    """A camera may be away for long; those who waited for it must not fill the server."""
    server.ended.set()
    server.thread.join()
    server.sink.newest = (0, None)
    for _ in range(3):
        client = socket.create_connection((server.url.hostname, server.url.port), timeout=10)
        path = server.url.path + "frame.jpg"
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        client.close()
    until = time.monotonic() + 30
    while server.sink.server.connections and time.monotonic() < until:
        time.sleep(0.05)
    assert not server.sink.server.connections
