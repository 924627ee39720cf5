"""A generator becomes a bundle of artifacts, each with its measured drift.

``sources/`` read, ``graphs/`` wrap, ``int8/`` quantize, ``targets/`` build; the modules here stage
and measure. Drift is measured by the runtime's own backends. Nothing here trains.

``pleinair.export(...)`` calls the room: its verb is ``api.export.export``.
"""

from ..calling import be_called

be_called(__name__, "pleinair.api.export.export", "export")
