"""The live picture in a browser, with controls: for machines without a display.

Motion JPEG over HTTP, from the standard library alone. Each viewer has a thread that sends the
newest picture when the last one has gone out, so a slow viewer sees fewer and never holds up the
pipeline. Nothing is encoded without viewers. Clients that do not know the random token in the
address get nothing.
"""

from __future__ import annotations

import errno
import hmac
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2

from ...errors import MediaError, UsageError
from ...progress import Say
from ...reading import parse_json
from ..address import network_address, shown
from ..controls import Controls
from ..frame import Frame
from ..limited_server import LimitedHandler, LimitedServer
from ..qr import qr_png, qr_text
from ..yuv import rgb_of
from .meter import Meter
from .recordings import Recordings
from .sink import Sink

PORT = 8765
_PAGE = Path(__file__).with_name("page.html")
_QUALITY = 85  # of the JPEGs
_WAIT = 0.5  # seconds between a viewer thread's checks whether to end
_BUFFER = 1 << 18  # bytes in flight to a viewer: more would be delay
_SHORTEST = 8  # minimum characters of the user's own token
_LONGEST = 10_000  # maximum bytes of a request's body


class HttpSink(Sink):
    """Serves frames to browsers.

    Args:
        address: ``""``, ``"PORT"`` or ``"HOST:PORT"``; 127.0.0.1 unless a host is given. The user's
            own token may follow: ``"PORT/TOKEN"``.
        controls: What the page changes.
        recordings: Snapshots and recordings.
        what: Returns model, backend and precision.
        say: Called with the page's address.

    Raises:
        UsageError: The address is invalid, or the token could be guessed.
        MediaError: The port is in use, or the host is not this machine's.
    """

    def __init__(
        self,
        address: str,
        controls: Controls,
        recordings: Recordings,
        what: Callable[[], str],
        say: Say,
    ) -> None:
        self.controls, self.recordings, self.what = controls, recordings, what
        self.meter, self.size = Meter(), (0, 0)
        host, port, token = parse_address(address)
        self.token = token or secrets.token_urlsafe(16)
        self.newest: tuple[int, Any] = (0, None)  # number and picture
        self.encoded: tuple[int, bytes] = (0, b"")
        self.changed = threading.Condition()
        self.encoding = threading.Lock()
        self.viewers = 0
        self.closed = False
        self.server = _serve(host, port, self)
        port = self.server.server_address[1]
        everywhere = host in ("0.0.0.0", "")
        self.url = f"http://{'127.0.0.1' if everywhere else host}:{port}/{self.token}/"
        self.shared = _shared(host, port, self.token)
        thread = threading.Thread(target=self.server.serve_forever, name="http", daemon=True)
        thread.start()
        say(f"open {self.url}")
        if self.shared:
            say(f"from this network: {self.shared}\n{qr_text(self.shared)}")

    def write(self, frame: Frame) -> bool:
        """Makes a frame the newest; viewers take it when they have sent their last one."""
        self.meter.note(frame)
        self.recordings.note(frame)
        picture = frame.picture
        self.size = (picture.shape[1], picture.shape[0])
        with self.changed:
            self.newest = (self.newest[0] + 1, picture)
            self.changed.notify_all()
        return not self.controls.quit

    def after(
        self, number: int, is_gone: Callable[[], bool] = lambda: False
    ) -> tuple[int, bytes] | None:
        """Waits for a picture newer than ``number``; None at the end, or if nobody waits."""
        with self.changed:
            while not self.closed and self.newest[0] <= number:
                if is_gone():  # without pictures nothing is sent that would fail
                    return None
                self.changed.wait(_WAIT)
            if self.closed:
                return None
            newest, picture = self.newest
        with self.encoding:  # once for all viewers
            if self.encoded[0] < newest:
                bgr = cv2.cvtColor(rgb_of(picture), cv2.COLOR_RGB2BGR)
                quality = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
                self.encoded = newest, cv2.imencode(".jpg", bgr, quality)[1].tobytes()
            return self.encoded

    def status(self) -> dict[str, Any]:
        """Returns what the page shows."""
        return {
            "fps": round(self.meter.fps, 1),
            "delay_ms": round(self.meter.delay_ms, 1),
            "size": list(self.size),
            "what": self.what(),
            "viewers": self.viewers,
            "shared": self.shared,
            **self.controls.state(),
        }

    def finish(self) -> None:
        """Ends a recording, saves the settings, disconnects the viewers."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()
        self.recordings.close()
        self.controls.save()

    discard = finish


class _Handler(LimitedHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    sink: HttpSink  # set in the subclass that `_serve` makes

    def setup(self) -> None:
        """Limits the bytes in flight to this viewer."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self.request.settimeout(20)
        super().setup()

    def do_GET(self) -> None:
        name = self._name()
        if name == "" and not self.path.partition("?")[0].endswith("/"):
            self._move(f"/{self.sink.token}/")  # the page's requests are relative to it
        elif name == "":
            self._answer(_PAGE.read_bytes(), "text/html; charset=utf-8")
        elif name == "status":
            self._answer_json(self.sink.status())
        elif name == "stream":
            self._stream()
        elif name == "frame.jpg":
            found = self.sink.after(0, self.is_gone)
            self._answer(found[1], "image/jpeg") if found else self._refuse(503)
        elif name == "qr.png" and self.sink.shared:
            self._answer(qr_png(self.sink.shared), "image/png")
        else:
            self._refuse(404)

    def do_HEAD(self) -> None:
        """Answers like GET, without what follows the headers."""
        self.do_GET()

    def do_POST(self) -> None:
        if self._name() != "controls":
            self._refuse(404)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > _LONGEST:
            self._refuse(413)
            return
        try:
            changes = parse_json(self.rfile.read(int(length)), finite=False)
            if not isinstance(changes, dict):
                raise UsageError("controls are one JSON object")
            self.sink.controls.set(changes)
        except (ValueError, UsageError) as error:
            self._answer_json({"error": str(error)}, 400)
            return
        self._answer_json(self.sink.status())

    def _name(self) -> str | None:
        """The requested path after the token; None without the token."""
        token, _, name = self.path.partition("?")[0].removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(), self.sink.token.encode())
        return name if known else None

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self._headers()
        self.close_connection = True
        if self.command == "HEAD":
            return
        number = 0
        self.sink.viewers += 1
        try:
            while found := self.sink.after(number, self.is_gone):
                number, jpeg = found
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        except OSError:
            pass  # the viewer is gone, or reads nothing
        finally:
            self.sink.viewers -= 1

    def _answer(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self._headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _answer_json(self, value: dict[str, Any], status: int = 200) -> None:
        self._answer(json.dumps(value).encode(), "application/json", status)

    def _move(self, path: str) -> None:
        self.send_response(308)
        self.send_header("Location", path)
        self.send_header("Content-Length", "0")
        self._headers()

    def _refuse(self, status: int) -> None:
        self.close_connection = True  # a body may be left unread
        self._answer(b"", "text/plain", status)

    def _headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")  # it would reveal the token
        self.send_header("X-Content-Type-Options", "nosniff")
        inline = "'unsafe-inline'"
        policy = (
            f"default-src 'self'; img-src 'self' data:; script-src {inline}; style-src {inline};"
            " frame-ancestors 'none'"
        )
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()


def _serve(host: str, port: int, sink: HttpSink) -> LimitedServer:
    handler = type("Handler", (_Handler,), {"sink": sink})
    try:
        return LimitedServer((host, port), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise MediaError(f"port {port} is in use; give another: --sink http:PORT") from error
        raise MediaError(
            f"no page can be served at {host}:{port}: {error.strerror or error}"
        ) from error


def parse_address(address: str) -> tuple[str, int, str]:
    """Returns host, port and token of ``PORT``, ``HOST:PORT`` or these with ``/TOKEN``.

    Raises:
        UsageError: There is no port in it, or the token could be guessed.
    """
    if address.startswith("//"):
        asked = shown(f"http:{address}")
        raise UsageError(f"--sink {asked} has slashes too many; write http:HOST:PORT")
    place, _, token = address.partition("/")
    if token:
        _check_token(token)
    return *_parse(place), token


def _check_token(token: str) -> None:
    """Refuses a token that is short, or that an address would have to escape."""
    if not re.fullmatch(rf"[A-Za-z0-9_-]{{{_SHORTEST},64}}", token):
        raise UsageError(
            f"a token is {_SHORTEST} to 64 letters, digits, - and _; anyone who guesses it sees the"
            f" picture, so take one like {secrets.token_urlsafe(12)}"
        )


def _shared(host: str, port: int, token: str) -> str:
    """The page's address for others in the network; empty if it is for this machine only."""
    if host == "localhost" or host.startswith("127."):
        return ""
    name = (network_address() if host in ("0.0.0.0", "") else host) or host
    return f"http://{name}:{port}/{token}/"


def _parse(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not address:
        return "127.0.0.1", PORT
    if not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise UsageError(
            f"--sink http:{address} has no port; write http:PORT or http:HOST:PORT, with a PORT up"
            " to 65535"
        )
    return host or "127.0.0.1", int(port)
