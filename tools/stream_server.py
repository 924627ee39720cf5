"""A camera on the network to measure with: Motion JPEG that numbers what it sends and says when."""

from __future__ import annotations

import http.server
import itertools
import multiprocessing
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
from pleinair.pictures import Pixels
from pleinair.runtime.sources.opening import open_source

_SIDE, _BITS = 16, 16  # pixels of a block; blocks of a number, along the top
_PICTURES = 60  # of the clip
_NUMBERS = 512


def mark(rgb: Pixels, number: int) -> None:
    """Writes a number into a picture, as black and white blocks; in place."""
    for bit in range(_BITS):
        rgb[:_SIDE, bit * _SIDE : (bit + 1) * _SIDE] = 255 * (number >> bit & 1)


def marked(rgb: Pixels) -> int:
    """Reads the number of a picture."""
    middles = rgb[_SIDE // 2, _SIDE // 2 : _BITS * _SIDE : _SIDE].mean(-1) > 127
    return sum(int(white) << bit for bit, white in enumerate(middles))


def _coded(rgb: Pixels, number: int) -> bytes:
    mark(rgb, number)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


@contextmanager
def serving(
    clip: str, size: tuple[int, int], fps: float, jitter: float = 0.0
) -> Iterator[tuple[str, dict[int, list[float]]]]:
    """Serves a clip, over and over, from another process.

    Args:
        clip: The clip.
        size: (width, height) of what is sent.
        fps: Pictures a second.
        jitter: How late a picture may be sent, at random, in intervals between two.

    Yields:
        Its address; and when which number was sent, by ``time.perf_counter``, once it is over.
        Numbers begin again after 512 pictures, which are all encoded before: the machine is left
        to who paints them.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(clip, size, (fps, jitter), theirs), daemon=True)
    process.start()
    sent: dict[int, list[float]] = {}
    try:
        yield f"http://127.0.0.1:{ours.recv()}/", sent
        ours.send("end")
        sent |= ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(clip: str, size: tuple[int, int], pace: tuple[float, float], parent: Connection) -> None:
    (fps, jitter), chance = pace, random.Random(0)
    with open_source(clip) as source:
        pictures = [
            cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA)
            for frame in itertools.islice(source.frames(), _PICTURES)
        ]
    coded = [_coded(pictures[number % len(pictures)], number) for number in range(_NUMBERS)]
    sent: dict[int, list[float]] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            start = time.perf_counter()
            for count in itertools.count():
                number = count % len(coded)
                jpeg = coded[number]
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                due = start + (count + jitter * chance.random()) / fps
                time.sleep(max(0.0, due - time.perf_counter()))
                sent.setdefault(number, []).append(time.perf_counter())
                try:
                    self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                except OSError:
                    return  # whoever looked has gone

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    parent.send(server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    parent.recv()
    parent.send(dict(sent))
