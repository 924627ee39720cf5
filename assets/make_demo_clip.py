"""Make ``demo.mp4``: ten seconds of slow camera moves over freely licensed photographs.

The photographs are those of the Debian package ``lomiri-wallpapers-16.04`` that its copyright
file puts under CC0 or CC-BY (see ``CREDITS.md``). Fetch and unpack them first::

    apt-get download lomiri-wallpapers-16.04
    dpkg -x lomiri-wallpapers-16.04_*.deb wallpapers
    python assets/make_demo_clip.py --wallpapers wallpapers

The sound track is synthesised here. Nothing is random from run to run and nothing is downloaded.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 1280, 720, 30
SCENE_FRAMES = 60
FADE_FRAMES = 10
SUPERSAMPLE = 2
SAMPLE_RATE = 48_000
MAX_BYTES = 2_000_000
BT709 = 1  # ITU-T H.273 code of the BT.709 primaries, transfer function and matrix


@dataclass(frozen=True)
class View:
    """What the camera sees: a 16:9 window, in fractions of the picture.

    Attributes:
        x: Horizontal centre, 0 at the left edge and 1 at the right.
        y: Vertical centre, 0 at the top edge and 1 at the bottom.
        width: Width of the window.
    """

    x: float
    y: float
    width: float

    def towards(self, other: View, share: float) -> View:
        """Return the view ``share`` of the way to ``other``, zooming at an even rate."""
        return View(
            self.x + (other.x - self.x) * share,
            self.y + (other.y - self.y) * share,
            self.width * (other.width / self.width) ** share,
        )


@dataclass(frozen=True)
class Scene:
    """A photograph, the camera move over it and the chord that goes with it.

    Attributes:
        file: File name of the photograph.
        start: First view.
        end: Last view.
        chord: Pitches of the chord, as MIDI note numbers.
    """

    file: str
    start: View
    end: View
    chord: tuple[int, ...]


SCENES = (
    Scene(
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        View(0.42, 0.46, 0.80),
        View(0.58, 0.43, 0.74),
        (50, 57, 62, 66, 69, 76),
    ),
    Scene(
        "seeding_by_Clements_Engelhardt.jpg",
        View(0.50, 0.50, 0.94),
        View(0.40, 0.42, 0.74),
        (47, 54, 62, 66, 69, 74),
    ),
    Scene(
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        View(0.42, 0.42, 0.80),
        View(0.58, 0.37, 0.68),
        (43, 55, 59, 66, 69, 74),
    ),
    Scene(
        "life_by_Aitzol_Berasategi.jpg",
        View(0.50, 0.64, 0.80),
        View(0.52, 0.45, 0.74),
        (52, 59, 62, 67, 71, 78),
    ),
    Scene(
        "sunset_by_Aitzol_Berasategi.jpg",
        View(0.46, 0.46, 0.60),
        View(0.48, 0.45, 0.76),
        (50, 57, 62, 66, 69, 74),
    ),
)
FRAMES = SCENE_FRAMES * len(SCENES)


def smoothstep(value: float) -> float:
    """Map 0..1 to 0..1 with no speed at either end."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3.0 - 2.0 * value)


def load_photograph(folder: Path, scene: Scene) -> NDArray[np.uint8]:
    """Read a scene's photograph, no larger than its widest view needs.

    Args:
        folder: Folder in which, at any depth, the photograph lies.
        scene: The scene.

    Returns:
        The picture, RGB.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    path = next(folder.rglob(scene.file), None)
    picture = None if path is None else cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"no readable {scene.file} under {folder}")
    widest = max(scene.start.width, scene.end.width)
    scale = WIDTH * SUPERSAMPLE / (widest * picture.shape[1])
    if scale < 1.0:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def render_view(picture: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    """Resample one view at sub-pixel accuracy: bicubic to twice the size, then averaged down."""
    rows, columns = picture.shape[:2]
    step = view.width * columns / (WIDTH * SUPERSAMPLE)
    left = view.x * columns - step * (WIDTH * SUPERSAMPLE - 1) / 2
    top = view.y * rows - step * (HEIGHT * SUPERSAMPLE - 1) / 2
    large = cv2.warpAffine(
        picture,
        np.array([[step, 0.0, left], [0.0, step, top]]),
        (WIDTH * SUPERSAMPLE, HEIGHT * SUPERSAMPLE),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(large, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)


def render_frames(folder: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield every frame of the clip, cross-fading from each scene to the next."""
    pictures = [load_photograph(folder, scene) for scene in SCENES]

    def shot(index: int, frame: int) -> NDArray[np.uint8]:
        scene = SCENES[index]
        elapsed = frame - index * SCENE_FRAMES + FADE_FRAMES / 2
        share = smoothstep(elapsed / (SCENE_FRAMES + FADE_FRAMES))
        return render_view(pictures[index], scene.start.towards(scene.end, share))

    for frame in range(FRAMES):
        # Scene boundaries lie in the middle of a fade; `fade` runs 0..1 through it.
        boundary = round(frame / SCENE_FRAMES)
        fade = (frame + 0.5 - boundary * SCENE_FRAMES) / FADE_FRAMES + 0.5
        if 0 < boundary < len(SCENES) and 0.0 < fade < 1.0:
            old, new = shot(boundary - 1, frame), shot(boundary, frame)
            yield np.asarray(cv2.addWeighted(old, 1.0 - fade, new, fade, 0.0), np.uint8)
        else:
            yield shot(frame // SCENE_FRAMES, frame)


def synthesise_pad(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chords: per note a few detuned, slowly drifting sines, left and right."""
    seconds = SCENE_FRAMES / FPS
    sound = np.zeros((2, times.size))
    for index, scene in enumerate(SCENES):
        # Each chord swells over its scene and overlaps both its neighbours.
        distance = np.abs(times - (index + 0.5) * seconds) / seconds
        envelope = np.cos(np.pi / 2 * np.clip(distance, 0.0, 1.0)) ** 2
        for number, note in enumerate(scene.chord):
            pitch = 440.0 * 2.0 ** ((note - 69) / 12)
            for harmonic, level in ((1, 1.0), (2, 0.28), (3, 0.08)):
                for side, detune in ((0, 0.9985), (1, 1.0015)):
                    phase = 2 * np.pi * pitch * harmonic * detune * times + number
                    drift = 1.0 + 0.25 * np.sin(2 * np.pi * 0.23 * times + number + side)
                    sound[side] += level * envelope * drift * np.sin(phase)
    return sound


def synthesise_wind(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return low, slowly swelling filtered noise, different left and right."""
    noise = np.random.default_rng(20).standard_normal((2, times.size))
    pitch = np.fft.rfftfreq(times.size, 1.0 / SAMPLE_RATE)
    band = (pitch / 120.0) / (1.0 + (pitch / 320.0) ** 3)
    wind = np.fft.irfft(np.fft.rfft(noise) * band, times.size)
    wind /= np.abs(wind).max()
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.17 * times + np.array([[0.0], [0.8]]))
    return np.asarray(wind * swell)


def synthesise_sound() -> NDArray[np.float32]:
    """Return the whole sound track, two rows of samples in -0.3..0.3, faded in and out."""
    times = np.arange(FRAMES * SAMPLE_RATE // FPS) / SAMPLE_RATE
    pad = synthesise_pad(times)
    sound = pad / np.abs(pad).max() + 0.22 * synthesise_wind(times)
    edges = np.clip(np.minimum(times / 0.6, (times[-1] - times) / 1.2), 0.0, 1.0)
    sound *= np.sin(np.pi / 2 * edges) ** 2
    return np.asarray(0.3 * sound / np.abs(sound).max(), np.float32)


def encode_video(
    container: av.container.OutputContainer, stream: av.VideoStream, folder: Path
) -> None:
    """Render the frames and write them, converted to limited-range BT.709."""
    for index, rgb in enumerate(render_frames(folder)):
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation="BICUBIC",
        )
        frame.pts, frame.time_base = index, Fraction(1, FPS)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def encode_sound(container: av.container.OutputContainer, stream: av.AudioStream) -> None:
    """Synthesise the sound and write it."""
    frame = av.AudioFrame.from_ndarray(synthesise_sound(), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE, 0, Fraction(1, SAMPLE_RATE)
    fifo = av.AudioFifo()
    fifo.write(frame)
    while (block := fifo.read(1024, partial=True)) is not None:
        container.mux(stream.encode(block))
    container.mux(stream.encode(None))


def write_clip(folder: Path, target: Path, crf: float) -> None:
    """Write the clip: H.264 and AAC in an MP4 that plays while it loads.

    Args:
        folder: Folder of the unpacked wallpapers package.
        target: The file to write.
        crf: Constant rate factor of x264; higher is smaller.
    """
    with av.open(str(target), "w", options={"movflags": "+faststart"}) as container:
        # One fixed thread count, because x264's output depends on it.
        options = {"preset": "slow", "crf": str(crf), "threads": "2"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = video.codec_context
        context.gop_size = 4 * FPS
        context.color_range = ColorRange.MPEG
        context.color_primaries = context.color_trc = context.colorspace = BT709
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        sound.bit_rate = 96_000
        encode_video(container, video, folder)
        encode_sound(container, sound)


def main() -> None:
    """Read the command line, make the clip, check its size."""
    parser = argparse.ArgumentParser(description="Make the demonstration clip.")
    parser.add_argument(
        "--wallpapers", type=Path, required=True, help="folder of the unpacked Debian package"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("demo.mp4"))
    parser.add_argument("--crf", type=float, default=27.0, help="x264 rate factor")
    arguments = parser.parse_args()
    write_clip(arguments.wallpapers, arguments.output, arguments.crf)
    size = arguments.output.stat().st_size
    print(f"{arguments.output}: {size:,} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"larger than {MAX_BYTES:,} bytes: raise --crf")


if __name__ == "__main__":
    main()
