"""What disturbs a long run: a camera that vanishes, viewers that hang, films of all kinds."""

from __future__ import annotations

import itertools
import random
import socket
import struct
import time
from fractions import Fraction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
from pleinair.pictures import Pixels
from pleinair.runtime.sources.demo_clip import DEMO_CLIP

SIZES = ((320, 180), (160, 120), (240, 320), (322, 182))
_FPS = 20
_HEAD = (
    b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n"
    b"Connection: close\r\n\r\n"
)
_RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: closing it is an error for who reads


def vanishing_camera(parent: Connection) -> None:
    """Serves Motion JPEG; now and then it is gone for seconds, or sends nothing, and is another."""
    chance, pictures = random.Random(0), _pictures(60)
    port = 0
    for sizes in itertools.count():
        size = SIZES[sizes % len(SIZES)]
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            if not port:
                port = server.getsockname()[1]
                parent.send(port)
            viewer, _ = server.accept()
        with viewer:
            _send(viewer, pictures, size, chance.uniform(2, 12))
            if chance.random() < 0.2:
                time.sleep(chance.uniform(2, 15))  # it hangs before it is gone
            viewer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        time.sleep(chance.uniform(0, 3))


def _send(
    viewer: socket.socket, pictures: list[Pixels], size: tuple[int, int], long: float
) -> None:
    until = time.monotonic() + long
    try:
        viewer.recv(4096)
        viewer.sendall(_HEAD)
        for picture in itertools.cycle(pictures):
            if time.monotonic() > until:
                return
            jpeg = cv2.imencode(".jpg", cv2.resize(picture, size))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            viewer.sendall(head.encode() + jpeg + b"\r\n")
            time.sleep(1 / _FPS)
    except OSError:
        return


def _pictures(count: int) -> list[Pixels]:
    with av.open(str(DEMO_CLIP)) as clip:
        frames = itertools.islice(clip.decode(video=0), count)
        return [frame.reformat(320, 180).to_ndarray(format="bgr24") for frame in frames]


def look_on(address: str) -> None:
    """Opens the live page's stream again and again: reads, hangs, or goes away at once."""
    chance, host = random.Random(1), urlsplit(address)
    assert host.hostname
    assert host.port
    hanging: list[socket.socket] = []
    while True:
        try:
            viewer = socket.create_connection((host.hostname, host.port), timeout=5)
            asked = f"GET {host.path}stream HTTP/1.1\r\nHost: {host.netloc}\r\n\r\n"
            viewer.sendall(asked.encode())
            if chance.random() < 0.3:  # it hangs, until the server has enough of it
                hanging.append(viewer)
                for old in hanging[:-4]:
                    old.close()
                del hanging[:-4]
                continue
            until = time.monotonic() + chance.uniform(0, 4)
            while time.monotonic() < until and viewer.recv(1 << 16):
                pass
            viewer.close()
        except OSError:
            time.sleep(0.2)


def film(place: Path, chance: random.Random) -> Path:
    """Writes a small film of a random size, kind and length; some are cut off."""
    suffix, codec = chance.choice(((".mp4", "libx264"), (".mkv", "libvpx"), (".avi", "mpeg4")))
    width, height = chance.choice(SIZES)
    path = place / f"in{suffix}"
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 24)
        sound: Any = None
        if suffix != ".avi" and chance.random() < 0.5:
            sound = out.add_stream("aac", rate=48000, layout="mono")
        frames = chance.randrange(5, 40)
        for index in range(frames):
            pixels = np.full((height, width, 3), 40 + 4 * index, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        out.mux(stream.encode(None))
        if sound:
            for index in range(frames * 2):
                noise = np.zeros((1, 1024), np.float32)
                frame = av.AudioFrame.from_ndarray(noise, "fltp", "mono")
                frame.sample_rate, frame.pts = 48000, 1024 * index
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
    if chance.random() < 0.1:
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    return path
