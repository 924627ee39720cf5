"""The queue between two stages of the pipeline, with the two policies that video needs."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """A bounded queue that can be closed.

    Args:
        capacity: How many items wait at most.
        newest_wins: When full, drop the oldest (live: never fall behind) instead of making the
            producer wait (files: never lose a frame).
    """

    def __init__(self, capacity: int, newest_wins: bool) -> None:
        self.capacity, self.newest_wins = capacity, newest_wins
        self.dropped = 0
        self._items: deque[T] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: T) -> bool:
        """Adds an item; returns False if the queue has been closed and nobody will read it."""
        with self._changed:
            if self.newest_wins and len(self._items) >= self.capacity and not self._closed:
                self._items.popleft()
                self.dropped += 1
            self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)
            if self._closed:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True

    def wait_for_room(self) -> None:
        """Waits until an item could be put without waiting, or the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self.capacity)

    def get(self) -> T | None:
        """Takes the oldest item; None once the queue is closed and empty."""
        with self._changed:
            # On Windows Ctrl-C is only noticed between two waits.
            while not self._changed.wait_for(lambda: self._closed or bool(self._items), 0.5):
                pass
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def close(self, discard: bool = False) -> None:
        """No more items will come; those that wait are still handed out unless discarded."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()
