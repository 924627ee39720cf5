"""A web server that strangers cannot exhaust: few connections, and a deadline for each request.

A client that sends a byte now and then never meets a socket's timeout, which restarts with each
byte. So one thread watches all connections and closes those past their deadline.
"""

from __future__ import annotations

import contextlib
import io
import ipaddress
import select
import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

MOST = 64  # connections at once; each has a thread
HEAD = 10.0  # seconds until a request is complete, also the first and the next of a connection
LONGEST = 2**17  # bytes of a request's head
_EVERY = 0.5  # seconds between two checks


@dataclass
class _Connection:
    socket: Any
    deadline: float | None


class LimitedServer(ThreadingHTTPServer):
    """Serves at most ``MOST`` connections; more are closed at once.

    It answers to addresses of numbers, this machine's names and the one that it listens at: any
    other may be a stranger's, whose DNS leads here.
    """

    daemon_threads = True
    block_on_close = False  # a client that reads nothing must not delay the end

    def __init__(self, *arguments: Any) -> None:
        self.connections: dict[Any, _Connection] = {}
        self.looking = threading.Lock()
        self.mine = threading.local()
        self.over = threading.Event()
        machine = socket.gethostname().lower()
        self.names = {"localhost", machine, f"{machine}.local", str(arguments[0][0]).lower()}
        super().__init__(*arguments)
        threading.Thread(target=self._look_after, name="deadlines", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives a connection a thread, if there is one left."""
        with self.looking:
            if len(self.connections) >= MOST:
                self.shutdown_request(request)
                return
            self.connections[request] = _Connection(request, time.monotonic() + HEAD)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves a connection in its thread, and releases the thread."""
        self.mine.connection = self.connections[request]
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.looking:
                self.connections.pop(request, None)

    def is_named(self, address: str) -> bool:
        """Whether a Host header names this server."""
        try:
            name = (urlsplit(f"//{address}").hostname or "").removesuffix(".")
            if name in self.names or name.endswith(".localhost"):
                return True
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def expect(self, seconds: float | None, by: Any = None) -> None:
        """Sets how long this thread's connection may take for the next step.

        Args:
            seconds: None ends the deadline.
            by: The socket to close then, if it is not the accepted one.
        """
        connection: _Connection = self.mine.connection
        connection.socket = by or connection.socket
        connection.deadline = None if seconds is None else time.monotonic() + seconds

    def server_close(self) -> None:
        """Releases the port."""
        self.over.set()
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores clients that disconnected."""

    def _look_after(self) -> None:
        while not self.over.wait(_EVERY):
            now = time.monotonic()
            with self.looking:
                late = [c for c in self.connections.values() if c.deadline and c.deadline < now]
            for connection in late:
                with contextlib.suppress(
                    OSError
                ):  # an SSL socket's own close would wait for an answer
                    socket.socket.shutdown(connection.socket, socket.SHUT_RDWR)


class _Head(io.BufferedReader):
    """What a client sends. Lines are those of heads, which together are not endless."""

    left = LONGEST

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.left -= len(line)
        if self.left < 0:
            raise LineTooLong("head")
        return line


class LimitedHandler(BaseHTTPRequestHandler):
    """Answers requests that arrive in time and are not too long."""

    server: LimitedServer
    rbufsize = 0  # `_Head` is the buffer

    def setup(self) -> None:
        """Limits what is read of a head: Python alone reads 6 MB of each."""
        super().setup()
        self.rfile: _Head = _Head(self.rfile)

    def handle_one_request(self) -> None:
        """Waits for a request, with a deadline."""
        self.server.expect(HEAD, self.connection)
        self.rfile.left = LONGEST
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Reads a request's head; a body must come before the deadline too."""
        good = super().parse_request() and self._is_ours()
        if self.command in ("GET", "HEAD"):
            self.server.expect(None)
        return good

    def _is_ours(self) -> bool:
        """Whether a request is for this server, and none of another site's page."""
        host, origin = self.headers.get("Host"), self.headers.get("Origin")
        if host is not None and not self.server.is_named(host):
            self.send_error(
                HTTPStatus.MISDIRECTED_REQUEST, explain="Ask by the address that was printed."
            )
            return False
        if self.command == "POST" and origin and origin.partition("://")[2] != host:
            self.send_error(HTTPStatus.FORBIDDEN)
            return False
        return True

    def is_gone(self) -> bool:
        """Whether the client has disconnected, as far as can be seen without waiting."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: addresses may hold a token."""
