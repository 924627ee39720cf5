"""Serves a site to the browsers of this machine, or, with a certificate, of this network.

The headers isolate the page from others; browsers require that before they allow threads.
"""

from __future__ import annotations

import errno
import os
import ssl
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from ...bundle.bundle import Bundle
from ...errors import BundleError, MediaError
from ...export.targets.web.site import FILES, INDEX, ORT, TARGET
from ...reading import is_special
from ...runtime.limited_server import HEAD, LimitedHandler, LimitedServer
from . import certificate

PORT: Final = 8000
HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # a site that is exported again is seen at once
}


class SiteServer:
    """Serves one site until it is closed.

    Args:
        site: A folder or zip that ``export --target web`` wrote.
        port: To listen at; 0 takes any that is free.
        https: Whether to serve the network too, with a certificate made here; without, only this
            machine is served, since browsers give no camera to plain http from elsewhere.

    Attributes:
        addresses: Where the page is, this machine's first.
        fingerprint: The certificate's SHA-256, as browsers show it; empty without one.

    Raises:
        UsageError: There is no such folder.
        BundleError: It is not a site, or not whole.
        MediaError: The port is in use.
    """

    def __init__(self, site: str | Path, port: int = PORT, https: bool = False) -> None:
        self.bundle = _open(site)
        self.fingerprint = ""
        host, names = ("0.0.0.0", certificate.names()) if https else ("127.0.0.1", ["localhost"])
        self._server = _listen(host, port, partial(_Handler, directory=str(self.bundle.root)))
        if https:
            self._secure(names)
        scheme, port = "https" if https else "http", self._server.server_address[1]
        self.addresses = [f"{scheme}://{name}:{port}/" for name in names]

    def run(self) -> None:
        """Serves until ``close`` is called, or the user interrupts."""
        self._server.serve_forever()

    def close(self) -> None:
        """Ends ``run`` if another thread is in it, and releases the port."""
        self._server.shutdown()
        self.release()

    def release(self) -> None:
        """Releases the port, once ``run`` has ended."""
        self._server.server_close()

    def _secure(self, names: list[str]) -> None:
        try:
            made = certificate.make(names)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(made.path)
        except ssl.SSLError as error:
            self.release()
            raise MediaError(
                f"certificate {made.path} cannot be used: {error}; delete it"
            ) from error
        except BaseException:
            self.release()
            raise
        self.fingerprint = made.fingerprint
        self._server.context = context


class _Handler(LimitedHandler, SimpleHTTPRequestHandler):
    """Answers one connection."""

    timeout = 20  # seconds that a browser may take
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
        ".onnx": "application/octet-stream",
    }

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def list_directory(self, path: Any) -> None:
        """Lists nothing: the page names its files."""
        self.send_error(404)

    def translate_path(self, path: str) -> str:
        """Finds the file of an address: inside the site, not hidden, not through a link."""
        root, found = os.path.realpath(self.directory), super().translate_path(path)
        try:
            if os.path.isdir(found):  # noqa: PTH112 - takes any name
                found = str(Path(found, INDEX))  # or Python would open it, even a link
            if "\0" in found or is_special(Path(found)):  # no name; what would be waited for
                return str(Path(root, ".none"))
        except OSError:  # a name that no file can have
            return str(Path(root, ".none"))
        inside = Path(os.path.relpath(found, self.directory))
        hidden = any(part.startswith(".") for part in inside.parts)
        is_linked = os.path.realpath(found) != str(Path(root, inside))
        return str(Path(root, ".none")) if hidden or is_linked else found


class _Server(LimitedServer):
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shakes hands in the connection's own thread: a slow one must not hold up the others."""
        if self.context:
            request.settimeout(20)
            request = self.context.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
            self.expect(HEAD, request)
            request.do_handshake()
        super().finish_request(request, client_address)


def _open(site: str | Path) -> Bundle:
    bundle = Bundle.open(site)
    artifacts = [a for a in bundle.manifest.artifacts if a.target == TARGET]
    if not artifacts:
        raise BundleError(
            f"{bundle.label} has no page for browsers; run: pleinair export {site} --target web"
            " --out site, then: pleinair serve site"
        )
    for name in (INDEX, FILES, ORT):
        if not (bundle.root / name).exists():
            raise BundleError(
                f"{bundle.label} is not a complete site: {name} is missing; export it again"
            )
    for artifact in artifacts:
        bundle.path(artifact)  # checks that it is what the manifest names
    return bundle


def _listen(host: str, port: int, handler: Callable[..., SimpleHTTPRequestHandler]) -> _Server:
    try:
        return _Server((host, port), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise MediaError(f"port {port} is in use; give another with --port") from error
        raise MediaError(f"no site can be served at {host}:{port}: {error.strerror}") from error
    except OverflowError as error:
        raise MediaError(f"{port} is not a port; they end at 65535") from error
