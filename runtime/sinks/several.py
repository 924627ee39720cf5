"""Several sinks at once: a virtual camera with a preview, say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..frame import Frame
from .sink import Sink


class SeveralSinks(Sink):
    """Gives each frame to all sinks; when one asks for the end, it ends for all.

    Args:
        sinks: The first to be written to first.
    """

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self.sinks = sinks

    def write(self, frame: Frame) -> bool:
        """Takes one frame; a sink may change the one that it gets."""
        wanted = [sink.write(replace(frame)) for sink in self.sinks]  # all of them get it
        return all(wanted)

    def finish(self) -> None:
        """Finishes all, also where one of them fails."""
        self._end(discard=False)

    def discard(self) -> None:
        """Leaves nothing of any of them behind."""
        self._end(discard=True)

    def _end(self, discard: bool) -> None:
        failed: BaseException | None = None
        for sink in self.sinks:
            try:
                sink.discard() if discard or failed else sink.finish()
            except BaseException as error:
                failed = failed or error
        if failed:
            raise failed
