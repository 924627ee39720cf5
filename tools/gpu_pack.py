"""Packs what a run on another machine needs: tiles of photographs and paintings, at most 40 MB.

Where DATA holds vgg16.pth, the feature network is packed too: by it a run learns where to be fine.

tools/gpu_train.sh pack DATA OUT.tar
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from pleinair.errors import MediaError, PleinairError, UsageError
from pleinair.evaluation.viewing_size import at_viewing_size
from pleinair.pictures import Pixels, list_pictures, read_picture, spread

MOST = 40_000_000  # bytes of the archive
TILE = 448  # side in pixels: a training crop and some room around it
SIZES = {"photos": 720, "paintings": 620}  # shorter sides at which one looks at them
HELD_OUT = 6
BYTES = 70_000  # of a tile, about
BLOCK = 512  # of a tar, whose end is filled up to RECORD
RECORD = 20 * BLOCK
FEATURES = "vgg16.pth"


class Archive:
    """A tar of JPEGs that never gets larger than it may."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar, self.bytes = tar, 2 * RECORD

    def add(self, name: str, picture: Pixels, most: int) -> bool:
        """Adds a picture unless the archive would have more than ``most`` bytes then."""
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
        return self.add_bytes(name, data, most)

    def add_bytes(self, name: str, data: bytes, most: int) -> bool:
        """Adds a file in the same way."""
        size = BLOCK + -(-len(data) // BLOCK) * BLOCK
        if self.bytes + size > most:
            return False
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))
        self.bytes += size
        return True


def pack(data: Path, out: Path, most: int = MOST) -> dict[str, int]:
    """Packs ``photos``, ``paintings`` and ``held_out`` of a folder; returns how many tiles of each.

    Without ``held_out`` a few photographs are held out.

    Raises:
        UsageError: A folder is missing or holds too few pictures.
    """
    found = {name: _pictures(data / name) for name in SIZES}
    held_out = spread(found["photos"], HELD_OUT)
    if (data / "held_out").is_dir():
        held_out = spread(_pictures(data / "held_out"), HELD_OUT)
    else:
        found["photos"] = [path for path in found["photos"] if path not in held_out]
    temporary = out.with_name(out.name + ".part")
    try:
        with tarfile.open(temporary, "w") as tar:
            archive, features = Archive(tar), data / FEATURES
            if features.is_file() and not archive.add_bytes(
                FEATURES, features.read_bytes(), most // 2
            ):
                raise UsageError(
                    f"{features} is larger than half of the {most // 10**6} MB; save it in float16,"
                    " and no layer beyond conv4_3"
                )
            for number, picture in enumerate(_read(held_out)):
                archive.add(f"held_out/{number}.jpg", at_viewing_size(picture), most)
            half = (most - archive.bytes) // 2
            counts = {"held_out": len(held_out)}
            for name, paths in found.items():
                counts[name] = _fill(archive, name, paths, archive.bytes + half)
        temporary.replace(out)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return counts


def _pictures(folder: Path) -> list[Path]:
    pictures = list_pictures(folder) if folder.is_dir() else []
    if len(pictures) < 2 * HELD_OUT and folder.name != "held_out":
        raise UsageError(
            f"{folder} holds {len(pictures)} pictures; at least {2 * HELD_OUT} are needed"
        )
    if not pictures:
        raise UsageError(f"{folder} holds no pictures; add some or remove it")
    return pictures


def _read(paths: Sequence[Path]) -> Iterator[Pixels]:
    for path in paths:
        try:
            yield read_picture(path)[0]
        except MediaError as error:
            print(f"skipped: {error}", file=sys.stderr)


def _fill(archive: Archive, name: str, paths: Sequence[Path], most: int) -> int:
    """Adds tiles of pictures in random order, as many of each as there is room for."""
    rng, count = np.random.default_rng(0), 0
    each = max(1, (most - archive.bytes) / (BYTES * len(paths)))
    for picture in _read([paths[i] for i in rng.permutation(len(paths))]):
        for tile in _tiles(picture, SIZES[name], int(each + rng.random()), rng):
            if not archive.add(f"{name}/{count:05}.jpg", tile, most):
                return count
            count += 1
    return count


def _tiles(picture: Pixels, shorter: int, most: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Yields random tiles of a picture at viewing size, as many as would cover it at most."""
    scale = shorter / min(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    for _ in range(min(most, -(-height // TILE) * -(-width // TILE))):
        top, left = (rng.integers(max(0, side - TILE) + 1) for side in (height, width))
        yield np.ascontiguousarray(picture[top : top + TILE, left : left + TILE])


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the verb; returns the exit status, 2 for a request that is wrong."""
    parser = argparse.ArgumentParser(prog="gpu_train.sh pack", description=__doc__)
    parser.add_argument("data", type=Path, help="a folder with photos and paintings in it")
    parser.add_argument("out", type=Path, help="the archive to write")
    options = parser.parse_args(arguments)
    try:
        counts = pack(options.data, options.out)
    except PleinairError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    said = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"wrote {options.out}: {said}; {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
