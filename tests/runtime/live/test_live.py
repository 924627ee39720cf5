from __future__ import annotations

import http.server
import io
import itertools
import sys
import threading
import time
from functools import partial

import av
import cv2
import numpy as np
import pytest
from pleinair.errors import MediaError, UsageError
from pleinair.runtime.controls import Controls
from pleinair.runtime.live.live import LivePainter, Look, live
from pleinair.runtime.models import open_model
from pleinair.runtime.pipeline import Pipeline
from pleinair.runtime.sinks.meter import Meter
from pleinair.runtime.sinks.sink import NullSink
from pleinair.runtime.sinks.window import draw
from pleinair.runtime.sources import coded, container, reconnect
from pleinair.runtime.sources.opening import open_source
from pleinair.runtime.stylizer import Choice, Stylizer, load
from pleinair.runtime.video_painter import VideoPainter

FIELDS = {"frames", "seconds", "fps", "dropped", "latency_ms", "size", "backend", "precision"}
FAST = {"backend": "onnxruntime", "precision": "int8", "strength": 0.0}


@pytest.fixture
def stream():
    """A server of Motion JPEG; the path says how many pictures come, and whether it then hangs."""
    release = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            count, _, ending = self.path[1:].partition("-")
            if not count.isdigit():
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                for index in range(int(count)):
                    picture = np.full((48, 64, 3), index * 8 % 256, np.uint8)
                    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                    self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                    time.sleep(0.1)
                if ending == "stall":
                    release.wait(60)
            except OSError:
                pass  # the client has gone

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    release.set()
    server.shutdown()
    server.server_close()


def test_a_clip_plays_at_its_own_pace(demo_clip):
    began = time.perf_counter()
    result = live(str(demo_clip), "null", **FAST, duration=1)
    took = time.perf_counter() - began  # the first painting, too, during which frames are dropped
    stats = result.stats()
    assert set(stats) == FIELDS
    assert set(stats["latency_ms"]) == {"p50", "p90", "p99"}
    assert stats["frames"] + stats["dropped"] <= 30 * took + 3  # 30 a second, no faster
    assert stats["frames"] > 0
    assert stats["size"] == [1280, 720]
    assert result.problems == []


def until(controls, frames):
    """Has the viewer quit after so many frames."""

    def quit_later(done):
        controls.quit = done >= frames

    return {"controls": controls, "progress": quit_later}


def test_a_film_is_played_again_and_again_if_asked(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4", frames=6)
    result = live(str(source), "http:0", **FAST, loop=True, **until(Controls(), 14))
    assert result.report.frames >= 14  # in its third time
    assert result.problems == []
    said = []
    live(str(source), "http:0", **FAST, say=said.append)
    assert said[-1].startswith(f"the page ends with {source}")
    assert said[-1].endswith("; --loop plays it again and again")


def test_a_film_that_is_lost_while_it_is_played(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4", frames=6)
    result = live(str(source), "null", **FAST, loop=True, progress=lambda _: source.unlink(True))
    assert result.report.frames
    assert result.problems == [f"{source} does not exist"]


def test_a_truncated_film_is_said_to_be_once(tmp_path, make_video):
    source = make_video(tmp_path / "in.mkv", frames=30)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 2 // 3])
    result = live(str(source), "http:0", **FAST, loop=True, **until(Controls(), 45))
    assert result.report.frames >= 45
    [problem] = result.problems
    assert "is truncated" in problem


@pytest.mark.parametrize("source", ["picture", "http://127.0.0.1:9/x"])
def test_what_cannot_be_played_again(photos, source):
    named = str(next(photos.iterdir())) if source == "picture" else source
    with pytest.raises(UsageError, match=r"--loop is for a video file; .* is (none|a stream)"):
        live(named, "null", **FAST, loop=True)


def test_a_recording_ends_its_sound_with_its_picture(tmp_path, make_video, demo_clip):
    out = tmp_path / "out.mp4"
    live(str(demo_clip), str(out), **FAST, duration=1, look=Look(size=(160, 90)))
    with av.open(str(out)) as recorded:
        video, audio = recorded.streams.video[0], recorded.streams.audio[0]
        assert (video.width, video.height) == (160, 90)
        assert float(audio.duration * audio.time_base) < 1.5
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_looks(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4")
    look = Look(size=(32, 24), mirror=True, side_by_side=True)
    result = live(str(source), str(tmp_path / "out.mp4"), **FAST, look=look)
    assert result.stats()["size"] == [64, 24]
    with av.open(str(tmp_path / "out.mp4")) as recorded:
        rgb = next(recorded.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(rgb[:, :32].astype(int) - rgb[:, 32:]).mean() < 6  # strength 0: both the same
    assert rgb[:10, 28:32].mean() > 200  # the square begins at the left; mirrored, at the right


def test_a_stream_is_painted_and_recorded_by_the_clock(stream, tmp_path):
    out = tmp_path / "out.mp4"
    result = live(f"{stream}/60", str(out), **FAST, duration=1.5)
    assert 5 <= result.report.frames + result.report.dropped <= 25
    assert result.report.size == (64, 48)
    with av.open(str(out)) as recorded:
        times = [frame.time for frame in recorded.decode(video=0)]
    assert times == sorted(set(times))
    # Ten pictures a second came; FFmpeg numbers them as if they were 25.
    assert np.median(np.diff(times)) == pytest.approx(0.1, abs=0.04)


def test_a_picture_of_a_stream_is_decoded_when_it_is_wanted(stream, monkeypatch):
    decoded, decode = [], coded.CodedPicture.decode
    monkeypatch.setattr(
        coded.CodedPicture, "decode", lambda self: decoded.append(1) or decode(self)
    )
    with open_source(f"{stream}/6") as source:
        source.defers = True
        frames = list(source.frames())
        assert len(frames) == 6
        assert not decoded
        last = frames[-1].complete().rgb
    assert len(decoded) == 1
    assert last.shape == (48, 64, 3)
    assert np.abs(last.astype(int) - 40).max() <= 2


def test_damaged_pictures_of_a_stream_are_left_out(stream, monkeypatch):
    decode = coded.CodedPicture.decode
    monkeypatch.setattr(
        coded.CodedPicture, "decode", lambda self: None if self.pts % 2 else decode(self)
    )
    with open_source(f"{stream}/6") as source:
        report = Pipeline(source, lambda rgb: rgb).run(NullSink(), duration=20)
        assert report.frames
        assert source.damaged
        assert report.frames + report.dropped + source.damaged == 6


def test_a_stream_hands_on_each_picture_at_once(monkeypatch):
    """H.264 in MPEG-TS, 90 pictures and then nothing: no decoder sits on the last ones."""
    file = io.BytesIO()
    with av.open(file, "w", format="mpegts") as out:
        video = out.add_stream("libx264", rate=30)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.options = {"tune": "zerolatency"}
        for index in range(90):
            picture = np.full((48, 64, 3), index * 2, np.uint8)
            out.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(video.encode(None))
    over = threading.Event()
    monkeypatch.setattr(container, "TIMEOUT", 60)

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(file.getvalue())
            over.wait(60)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open_source(f"http://127.0.0.1:{server.server_port}/") as source:
        # MPEG-TS itself knows a picture's end by the next one's begin.
        first = itertools.islice(source.frames(), 88)
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(frame.index for frame in first))
        reader.start()
        reader.join(20)  # a decoder that waits for more waits longer
        in_time = not reader.is_alive()
        over.set()
        reader.join()
        assert in_time
        assert seen == list(range(88))
    server.shutdown()
    server.server_close()


def test_a_stream_that_ends(stream):
    result = live(f"{stream}/8", "null", **FAST, duration=5)
    assert result.report.frames > 0


@pytest.mark.parametrize("path", ["0", "none"])
def test_a_stream_without_pictures(stream, path):
    with pytest.raises(MediaError, match=f"{stream}/{path} cannot be opened"):
        live(f"{stream}/{path}", "null", **FAST)


def test_a_stream_that_stalls_at_once(stream, monkeypatch):
    monkeypatch.setattr(container, "TIMEOUT", 0.5)
    with pytest.raises(MediaError, match=r"nothing came for 0\.5 seconds"):
        live(f"{stream}/0-stall", "null", **FAST)


def test_a_stream_that_stalls_is_waited_for(stream, monkeypatch):
    monkeypatch.setattr(container, "TIMEOUT", 1.0)
    said = []
    result = live(f"{stream}/5-stall", "null", **FAST, duration=9, say=said.append)
    assert result.report.frames > 5  # of more than one connection
    assert "nothing came for 1 seconds; waiting for it to come back" in said[0]
    assert said[1] == f"{stream}/5-stall is back"


def test_a_stream_that_does_not_come_back(stream, monkeypatch):
    monkeypatch.setattr(container, "TIMEOUT", 1.0)
    monkeypatch.setattr(reconnect, "PATIENCE", 0.3)
    opened, first = [], reconnect.open_source

    def once(*arguments, **options):
        if opened:
            raise MediaError("gone")
        opened.append(first(*arguments, **options))
        return opened[0]

    monkeypatch.setattr(reconnect, "open_source", once)
    result = live(f"{stream}/5-stall", "null", **FAST)
    assert 0 < result.report.frames <= 5
    assert "stopped after" in result.problems[0]
    assert "not back within 0.3 seconds" in result.problems[0]


def test_a_stalled_stream_does_not_outlive_the_duration(stream):
    start = time.perf_counter()
    result = live(f"{stream}/5-stall", "null", **FAST, duration=1)
    assert result.report.frames > 0
    assert time.perf_counter() - start < container.TIMEOUT  # it did not wait for the stream


def test_nobody_listens():
    with pytest.raises(MediaError, match="Connection refused"):
        live("http://127.0.0.1:9/", "null", **FAST)


def test_ctrl_c_ends_a_recording_and_keeps_it(tmp_path, demo_clip):
    def interrupt(done):
        if done == 3:
            raise KeyboardInterrupt

    out = tmp_path / "out.mp4"
    result = live(str(demo_clip), str(out), **FAST, progress=interrupt)
    assert result.report.frames == 3
    assert result.report.seconds > 0
    with av.open(str(out)) as recorded:
        assert len(list(recorded.decode(video=0))) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"sink": "nul"},
            "sink 'nul' is none of window, http, virtual-camera, null, or a video file",
        ),
        ({"sink": "x.png"}, r"sink 'x\.png' is none of"),
        ({"duration": float("nan")}, "duration must be"),
        ({"duration": -1.0}, "duration must be"),
        ({"strength": 2.0}, "strength must be"),
        ({"backend": "onxruntime"}, "did you mean 'onnxruntime'"),
    ],
)
def test_wrong_requests(tmp_path, monkeypatch, demo_clip, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        live(str(demo_clip), **{"sink": "null", **FAST, **arguments})
    assert list(tmp_path.iterdir()) == []


def test_recordings_are_not_replaced_unasked(tmp_path, make_video):
    source = make_video(tmp_path / "in.mp4")
    before = source.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="is the input"):
            live(str(source), str(source), **FAST, overwrite=overwrite)
    (tmp_path / "out.mp4").write_text("old")
    with pytest.raises(UsageError, match="--overwrite"):
        live(str(source), str(tmp_path / "out.mp4"), **FAST)
    live(str(source), str(tmp_path / "out.mp4"), **FAST, overwrite=True)
    assert (tmp_path / "out.mp4").stat().st_size > 100
    assert source.read_bytes() == before


def test_a_frame_rate_is_held_by_painting_smaller(demo_clip, monkeypatch) -> None:
    sizes = []
    paint = Stylizer.__call__

    def slow(self, picture):
        sizes.append(picture.shape[1])
        time.sleep(0.05 * (picture.shape[1] / 320) ** 2)
        return paint(self, picture)

    monkeypatch.setattr(Stylizer, "__call__", slow)
    look = Look(size=(320, 180), target_fps=60)
    result = live(str(demo_clip), "null", "monet-conv", **FAST, duration=4, look=look)
    assert sizes[0] == 320
    assert sizes[-1] < 240
    assert result.stats()["size"] == [320, 180]


class Marks:
    """An engine whose canvas is a fixed grain; it notes the sizes that it painted."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []

    def prepare(self, height, width):
        pass

    def __call__(self, frames):
        self.sizes.append(frames.shape[1:3])
        grain = np.random.default_rng(0).integers(0, 40, (*frames.shape[:3], 1))
        return (frames - frames // 64 * grain // 2).clip(0, 255).astype(np.uint8)


def with_strokes(strength=1.0):
    return Stylizer(
        open_model("monet-conv"), Marks(), Choice("marks", "fp32"), "rgb", strength, True
    )


def noisy(count, size=(90, 120)):
    random = np.random.default_rng(0)
    picture = cv2.resize(random.integers(0, 255, (6, 8, 3), dtype=np.uint8), size[::-1])
    for _ in range(count):
        yield (picture + random.normal(0, 2.3, picture.shape)).clip(0, 255).astype(np.uint8)


def test_noise_moves_no_stroke():
    painter = LivePainter(Look(), Controls(), lambda name: with_strokes(), with_strokes())
    shown = [painter(frame) for frame in noisy(8)]
    assert all(np.array_equal(shown[0], frame) for frame in shown)
    painter.controls.strength = 0.0
    frame = next(noisy(1))
    assert np.array_equal(painter(frame), frame)
    painter.controls.strength = 0.5
    assert np.array_equal(painter(frame), cv2.addWeighted(shown[0], 0.5, frame, 0.5, 0))


def test_frames_are_prepared_before_the_last_is_finished_and_keep_their_settings():
    frames = [np.roll(frame, 3 * n, 1) for n, frame in enumerate(noisy(6))]
    alone, painter = (
        LivePainter(Look(), Controls(), lambda name: with_strokes(), with_strokes())
        for _ in range(2)
    )
    for one in (alone, painter):
        assert isinstance(one.fitted, VideoPainter)
        assert one.fitted.easel
        one.fitted.easel.late = None  # or what is shown would depend on how long painting takes
    wanted, shown, before = [alone(frame) for frame in frames], [], None
    for frame in frames:
        taken = painter.prepare(frame)
        painting = partial(painter.paint, taken) if painter.is_painted(taken) else None
        if before:
            shown.append(painter.finish(*before))
        before = taken, painting
    painter.controls.compare = True  # what was taken before that is shown without
    shown.append(painter.finish(*before))
    for one, other in zip(shown, wanted, strict=True):
        assert np.array_equal(one, other)
    painter.controls.paused = True
    assert painter.prepare(frames[0]) is None
    assert not painter.is_painted(None)
    assert np.array_equal(painter.finish(None, None), wanted[-1])


def test_another_style_or_size_begins_anew():
    controls = Controls(style="a", styles=["a", "b"])
    painter = LivePainter(Look(), controls, lambda name: with_strokes(), with_strokes())
    first = next(painter(frame) for frame in noisy(1))
    small = next(noisy(1, (60, 80)))
    other = LivePainter(Look(), Controls(), lambda name: with_strokes(), with_strokes())
    assert np.array_equal(painter(small), other(small))
    assert np.array_equal(painter(next(noisy(1))), first)
    controls.style = "b"
    painter(next(noisy(1)))
    painter.coming[1].result()
    assert np.array_equal(painter(next(noisy(1))), first)
    assert painter.style == "b"


@pytest.mark.parametrize("follow", [True, False])
def test_strokes_follow_unless_they_are_not_to(demo_clip, monkeypatch, follow):
    asked = []

    def load(*arguments, wrap, **options):
        asked.append(wrap)
        return with_strokes()

    monkeypatch.setattr(sys.modules[live.__module__], "load", load)
    live(str(demo_clip), "null", look=Look(size=(64, 36), follow=follow), duration=0.5)
    assert asked == [follow]


def test_a_style_that_is_coming_is_shown_until_it_paints():
    held = threading.Event()
    first, second = (load("monet-conv", "onnxruntime", "int8", "rgb") for _ in range(2))

    def load_style(name):
        assert held.wait(30)
        return second

    controls = Controls(style="monet-conv", styles=["monet-conv", "other"])
    painter = LivePainter(Look(), controls, load_style, first)
    grey = np.full((48, 64, 3), 90, np.uint8)
    plain = draw(grey, controls, Meter(), "")
    controls.style = "other"
    painter(grey)
    assert (controls.loading, painter.style) == ("other", "monet-conv")
    assert not np.array_equal(draw(grey, controls, Meter(), ""), plain)  # the window says so
    held.set()
    painter.coming[1].result(30)
    painter(grey)
    assert (controls.loading, painter.style) == ("", "other")


def test_what_paints_paintings_is_no_style_of_a_camera(tmp_path, make_video):
    controls = Controls()
    source = str(make_video(tmp_path / "in.mp4"))
    live(source, "null", "monet-conv", backend="onnxruntime", controls=controls)
    assert {"monet", "seurat"} <= set(controls.styles)
    assert "photo" not in controls.styles


@pytest.mark.parametrize("sound", ["aac", ""])
def test_a_recording_of_a_stream_says_that_it_has_no_sound(tmp_path, make_film, sound):
    film, said = make_film(tmp_path / "in.ts", sound=sound).read_bytes(), []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(film)))
            self.end_headers()
            self.wfile.write(film)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/in.ts"
    live(address, str(tmp_path / "out.mp4"), "monet-conv", **FAST, say=said.append)
    server.shutdown()
    told = f"{address}: its sound will not be recorded; to keep it, save the stream first"
    assert (told in said) == bool(sound)
