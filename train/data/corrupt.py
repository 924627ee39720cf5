"""Counts unreadable pictures, and stops a run if there are too many."""

from __future__ import annotations

from collections.abc import Iterable

from ...errors import TrainingError


class CorruptTally:
    """The unreadable pictures that a run has met so far.

    Args:
        total: How many pictures there are.
        max_share: The share of them that may be unreadable, ``data.max_corrupt``.
    """

    def __init__(self, total: int, max_share: float) -> None:
        self.total, self.max_share = total, max_share
        self.names: dict[str, None] = {}  # in the order they were met

    def add(self, names: Iterable[str]) -> list[str]:
        """Counts names and returns those that were not met before.

        Raises:
            TrainingError: There are too many now.
        """
        new = [name for name in dict.fromkeys(names) if name not in self.names]
        self.names.update(dict.fromkeys(new))
        if len(self.names) > self.max_share * self.total:
            raise TrainingError(
                f"{len(self.names)} of {self.total} pictures cannot be read, more than"
                f" data.max_corrupt = {self.max_share:g} allows: {', '.join([*self.names][:3])}"
                f"{', ...' if len(self.names) > 3 else ''}; repair or remove them, or raise"
                " data.max_corrupt"
            )
        return new
