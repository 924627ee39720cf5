"""A robot's node that paints what its camera publishes: the newest frame wins.

ROS is not needed to run this: `Topic` stands for a topic with queue size 1. In ROS 2 the node is
the same; `Topic.subscribe` becomes `node.create_subscription(Image, "/camera", self.take, 1)`, and
`Topic.publish` what `node.create_publisher(Image, "/painted", 1)` has.

python examples/subscriber.py film.mp4
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pleinair


@dataclass
class Image:
    """As sensor_msgs/Image, as far as it is needed."""

    height: int
    width: int
    data: bytes
    encoding: str = "bgr8"
    stamp: float = field(default_factory=time.monotonic)


class Topic:
    """Hands each message to those who subscribed."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[Image], None]] = []

    def subscribe(self, callback: Callable[[Image], None]) -> None:
        """Has a function called with each message."""
        self.callbacks.append(callback)

    def publish(self, message: Image) -> None:
        """Calls them."""
        for callback in self.callbacks:
            callback(message)


class PaintNode:
    """Takes images, paints the newest in a thread of its own, publishes it with its stamp."""

    def __init__(self, camera: Topic, painted: Topic) -> None:
        self.painted, self.waiting = painted, threading.Condition()
        self.newest: Image | None = None
        self.dropped, self.ended = 0, False
        self.paint = pleinair.load("monet-conv")
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        camera.subscribe(self.take)

    def take(self, message: Image) -> None:
        """Never blocks the camera: an older frame that still waits is dropped."""
        with self.waiting:
            self.dropped += self.newest is not None
            self.newest = message
            self.waiting.notify()

    def _run(self) -> None:
        while True:
            with self.waiting:
                self.waiting.wait_for(lambda: self.newest or self.ended)
                message, self.newest = self.newest, None
            if message is None:
                return
            shape = (message.height, message.width, 3)
            frame = self.paint(np.frombuffer(message.data, np.uint8).reshape(shape))
            self.painted.publish(
                Image(message.height, message.width, frame.tobytes(), stamp=message.stamp)
            )

    def close(self) -> None:
        """Paints what still waits, then ends."""
        with self.waiting:
            self.ended = True
            self.waiting.notify()
        self.thread.join()


def main(film: str) -> tuple[int, int]:
    """Plays a film as a camera would; returns how many frames were painted and dropped."""
    capture = cv2.VideoCapture(film)
    if not capture.isOpened():
        raise SystemExit(f"{film} cannot be opened")
    camera, painted, delays = Topic(), Topic(), []
    painted.subscribe(lambda message: delays.append(time.monotonic() - message.stamp))
    node = PaintNode(camera, painted)
    pause = 1 / (capture.get(cv2.CAP_PROP_FPS) or 30)
    while True:
        good, frame = capture.read()
        if not good:
            break
        camera.publish(Image(frame.shape[0], frame.shape[1], frame.tobytes()))
        time.sleep(pause)
    node.close()
    print(f"{len(delays)} painted, {node.dropped} dropped, delay {max(delays):.3f} s at most")
    return len(delays), node.dropped


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("film", help="a video file")
    main(**vars(parser.parse_args()))
