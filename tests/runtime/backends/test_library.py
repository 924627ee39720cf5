"""What a library's C++ prints is kept away, also where one call is made inside of another."""

from __future__ import annotations

import os
import threading

from pleinair.runtime.backends import muted


def test_nested_muting_ends_and_restores(capfd) -> None:
    def nested() -> None:
        with muted(), muted():
            os.write(2, b"chatter")

    thread = threading.Thread(target=nested, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    os.write(2, b"said")
    assert capfd.readouterr().err == "said"
