"""How old a picture is on a browser's screen: Motion JPEG, which ``--sink http`` sends, or WebRTC.

    pip install aiortc
    python tools/browser_delay.py [CLIP] [--size 1280x720] [--seconds 20]

Numbered frames are handed at 30 a second to our page's server and, in another run, to aiortc (VP8
and H.264). A headless Chromium on this machine shows them and notes when each number is on its
screen. Delay is from hand-over to screen; processor time is that of this process, which encodes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.server
import itertools
import json
import shutil
import subprocess
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from pleinair.benchmarks.results.file import write_json
from pleinair.errors import BackendError
from pleinair.pictures import Pixels
from pleinair.runtime.controls import Controls
from pleinair.runtime.frame import Frame
from pleinair.runtime.sinks.opening import open_sinks
from pleinair.runtime.sources.demo_clip import DEMO_CLIP
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.sources.source import EmptySource
from pleinair.tools.stream_server import mark

FPS = 30
_PAGE = Path(__file__).with_name("delay.html")
_SETTLE = 3.0  # seconds in which a browser finds its pace


class Sender:
    """Hands out numbered pictures by the clock, and knows when each was handed out."""

    def __init__(self, pictures: list[Pixels]) -> None:
        self.pictures, self.sent = pictures, dict[int, float]()
        self.start = time.time()

    def due(self, number: int) -> float:
        """Seconds until a picture is due."""
        return max(0.0, self.start + number / FPS - time.time())

    def take(self, number: int) -> Pixels:
        """Returns a picture with its number in it."""
        rgb = self.pictures[number % len(self.pictures)].copy()
        mark(rgb, number)
        self.sent[number] = time.time()
        return rgb


class Page:
    """Serves the page, answers WebRTC's offer, and takes in what was shown."""

    def __init__(self, answer: Any) -> None:
        self.shown: dict[str, Any] = {}
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                self._send(_PAGE.read_bytes(), "text/html")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path == "/offer":
                    self._send(json.dumps(answer(body)).encode(), "application/json")
                else:
                    page.shown = body
                    self._send(b"", "text/plain")

            def _send(self, body: bytes, kind: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


def main() -> None:
    """Measures each way and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clip", nargs="?", default=str(DEMO_CLIP))
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with open_source(options.clip) as source:
        pictures = [
            cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_AREA)
            for frame in itertools.islice(source.frames(), 60)
        ]
    found = {"mjpeg": mjpeg(pictures, options.seconds)}
    for codec in ("VP8", "H264"):
        found[f"webrtc {codec}"] = webrtc(pictures, options.seconds, f"video/{codec}")
    for name, row in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    if options.json:
        write_json(options.json, found)


def mjpeg(pictures: list[Pixels], seconds: float) -> dict[str, Any]:
    """Through the server of ``--sink http``."""
    said: list[str] = []
    with open_sinks(["http:0"], EmptySource(), Controls(), say=said.append) as sink:
        page = Page(None)
        with Browser(f"{page.url}#mjpeg,{said[0].removeprefix('open ')}stream"):
            sender, began = Sender(pictures), time.process_time()
            for number in range(int(seconds * FPS)):
                time.sleep(sender.due(number))
                sink.write(Frame(sender.take(number), number))
            time.sleep(1.5)
        return figures(sender, page.shown, time.process_time() - began)


def webrtc(pictures: list[Pixels], seconds: float, codec: str) -> dict[str, Any]:
    """Through aiortc."""
    import aiortc

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    sender = Sender(pictures)

    class Track(aiortc.VideoStreamTrack):  # type: ignore[misc]
        number = -1

        async def recv(self) -> av.VideoFrame:
            # The newest picture, as a live source has it: encoding that is late skips some.
            self.number = max(self.number + 1, int((time.time() - sender.start) * FPS))
            await asyncio.sleep(sender.due(self.number))
            frame = av.VideoFrame.from_ndarray(sender.take(self.number), format="rgb24")
            frame.pts, frame.time_base = self.number * 90_000 // FPS, Fraction(1, 90_000)
            return frame

    peers = []

    async def connect(offer: dict[str, str]) -> dict[str, str]:
        peer = aiortc.RTCPeerConnection()
        peers.append(peer)
        await peer.setRemoteDescription(aiortc.RTCSessionDescription(**offer))
        peer.addTrack(Track())
        wanted = [
            one
            for one in aiortc.RTCRtpSender.getCapabilities("video").codecs
            if one.mimeType in (codec, "video/rtx")
        ]
        peer.getTransceivers()[0].setCodecPreferences(wanted)
        await peer.setLocalDescription(await peer.createAnswer())
        said = peer.localDescription
        sender.start = time.time()
        return {"sdp": said.sdp, "type": said.type}

    def answer(offer: dict[str, str]) -> dict[str, str]:
        return asyncio.run_coroutine_threadsafe(connect(offer), loop).result(10)

    page, began = Page(answer), time.process_time()
    with Browser(f"{page.url}#webrtc,"):
        time.sleep(seconds + 1.5)
    for peer in peers:
        asyncio.run_coroutine_threadsafe(peer.close(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    return figures(sender, page.shown, time.process_time() - began)


class Browser:  # used as a function
    """A headless Chromium that shows a page."""

    def __init__(self, url: str) -> None:
        program = next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
        )
        if program is None:
            raise BackendError("there is no Chromium here; install it to measure in a browser")
        self.profile = tempfile.TemporaryDirectory(prefix="pleinair-", ignore_cleanup_errors=True)
        self.command = [
            program,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--disable-web-security",  # the picture's pixels are read by another server's page
            "--disable-features=WebRtcHideLocalIpsWithMdns",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={self.profile.name}",
            url,
        ]

    def __enter__(self) -> None:
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, stdout=quiet, stderr=quiet)
        time.sleep(3)

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self.profile.cleanup()


def figures(sender: Sender, shown: dict[str, Any], processor: float) -> dict[str, Any]:
    """Returns what is printed of a run, without the time in which the browser settles."""
    if "error" in shown:
        raise BackendError(f"the browser says: {shown['error']}")
    times = {int(number): at / 1000 for number, at in shown.items() if int(number) in sender.sent}
    settled = {n: at for n, at in times.items() if n >= _SETTLE * FPS}
    delays = [at - sender.sent[n] for n, at in settled.items()]
    if not delays:
        raise BackendError("the browser showed nothing")
    span = max(settled.values()) - min(settled.values())
    p50, p90, p99 = np.percentile(delays, [50, 90, 99]) * 1000
    return {
        "fps": round((len(settled) - 1) / span, 1),
        "p50_ms": round(p50, 1),
        "p90_ms": round(p90, 1),
        "p99_ms": round(p99, 1),
        "processor_ms_a_frame": round(1000 * processor / len(sender.sent), 1),
    }


if __name__ == "__main__":
    main()
