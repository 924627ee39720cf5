"""The energy that processors use, by the kernel's counters (RAPL), which often only root reads."""

from __future__ import annotations

from pathlib import Path

_ZONES = Path("/sys/class/powercap")


class EnergyMeter:
    """Counts from its creation.

    Args:
        zones: Where the kernel keeps its counters.
    """

    def __init__(self, zones: Path = _ZONES) -> None:
        packages = sorted(zones.glob("*-rapl:*"))
        self.packages = [one for one in packages if one.name.count(":") == 1]  # not their parts
        self.before = self._read()

    def joules(self) -> float | None:
        """Returns the joules that all packages used since then; None if they are not known."""
        before, now = self.before, self._read()
        if not before or len(before) != len(now):
            return None
        used = 0
        for package, first, last in zip(self.packages, before, now, strict=True):
            used += last - first
            if last < first:  # the counter wrapped
                used += int((package / "max_energy_range_uj").read_text())
        return used / 1e6

    def _read(self) -> list[int]:
        try:
            return [int((one / "energy_uj").read_text()) for one in self.packages]
        except (OSError, ValueError):
            return []
