"""What a source of frames is: of pictures, of a film, of a camera."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ..frame import Frame

if TYPE_CHECKING:
    from ..colour import Colour


class Source(ABC):
    """Frames, and what is known of them before the first one.

    Attributes:
        label: How messages name it.
        live: Frames arrive at their own pace; whoever is late loses some.
        can_return: Once it has failed, it may be opened again: a camera, a stream.
        size: (width, height), if it is the same for all frames.
        fps: Frames a second, if known.
        count: How many frames there should be, if known.
        problems: What went wrong along the way without ending it all.
        defers: Whether pixels may be left to ``Frame.complete``, in another thread: who drops
            frames asks for it.
        planes: Whether frames may be given as planes, if they are of one colour or of any.
    """

    label = ""
    live = False
    can_return = False
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    count: int | None = None
    defers = False
    planes: Colour | bool = False

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.say: Callable[[str], None] = lambda sentence: None  # what happens along the way
        self.reading = threading.Lock()  # held by whoever is in the middle of a read
        self.closed = False  # whoever reads on then would read from what was freed

    @abstractmethod
    def frames(self) -> Iterator[Frame]:
        """Yields every frame once, in order."""

    def close(self) -> None:
        """Frees the device or file.

        Where another thread hangs in a read (a camera or stream that stalls), freeing it would
        crash that thread; it is then left to the end of the process.
        """
        if self.reading.acquire(timeout=1):
            self.closed = True
            self._free()
            self.reading.release()

    def _free(self) -> None:  # noqa: B027  # most have nothing to free
        pass

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EmptySource(Source):
    """No frames: what is known of those that come from elsewhere."""

    def frames(self) -> Iterator[Frame]:
        """Yields nothing."""
        return iter(())
