"""The page in a real browser, with a camera that is fed from the demo clip."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice

import av
import cv2
import numpy as np
import pytest
from pleinair import metrics
from pleinair.bundle.bundle import Bundle
from pleinair.deploy.web.server import SiteServer
from pleinair.export.targets.web.own_graphs import export_site
from pleinair.pictures import write_picture
from pleinair.runtime.stylizer import load

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
WAIT = 120_000  # ms: other tests run beside
CAMERA = (320, 180)
READY = re.compile("dB from PyTorch$")  # nothing else is tried any more
CHOICE = "pleinair engine"
PIXELS = "document.querySelector('#picture').toDataURL()"


@pytest.fixture(scope="module", autouse=True)
def _patience():
    expect.set_options(timeout=WAIT)


@pytest.fixture(scope="module")
def camera(tmp_path_factory, demo_clip):
    """The demo clip as Chromium's fake camera takes it: YUV4MPEG2, BT.601, limited range."""
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    width, height = CAMERA
    with av.open(str(demo_clip)) as clip, path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for frame in islice(clip.decode(video=0), 20):
            small = frame.reformat(width, height, "yuv420p", dst_colorspace=5, dst_color_range=1)
            out.write(b"FRAME\n" + small.to_ndarray().tobytes())
    return path


@pytest.fixture(scope="module")
def playwright():
    with sync_api.sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright, camera):
    with launched(playwright, f"--use-file-for-fake-video-capture={camera}") as found:
        yield found


def launched(playwright, *arguments):
    usual = ["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream"]
    # A later argument of the same name wins.
    return playwright.chromium.launch(executable_path=BROWSER, args=[*usual, *arguments])


@pytest.fixture(scope="module")
def remembered():
    """What the first page chose to paint with: the others need not measure again."""
    return {}


@pytest.fixture
def visit(browser, remembered):
    """Opens a page in a fresh profile; what it says on the console is kept on it."""
    contexts = []

    def go(address, ready=True, browser=browser, **options):
        origin = {
            "origin": address.rstrip("/"),
            "localStorage": [{"name": k, "value": v} for k, v in remembered.items()],
        }
        usual = {
            "permissions": ["camera"],
            "service_workers": "block",
            "storage_state": {"cookies": [], "origins": [origin]},
        }
        context = browser.new_context(**usual | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.problems = []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.goto(address)
        if ready:
            expect(page.locator("#engine")).to_have_text(READY)
            remembered[CHOICE] = page.evaluate(f"localStorage.getItem('{CHOICE}')")
        return page

    yield go
    for context in contexts:
        context.close()


def seen(page):
    """What the canvas shows, RGB."""
    data = base64.b64decode(page.evaluate(PIXELS).partition(",")[2])
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def still(page):
    """Pauses what is moving, and waits until the last frame under way is shown."""
    page.click("#controls [data-do=pause]")
    before = page.evaluate(PIXELS)
    while (
        after := page.evaluate(f"new Promise(r => setTimeout(() => r({PIXELS}), 500))")
    ) != before:
        before = after


def set_range(page, selector, value):
    page.locator(selector).evaluate(
        "(e, value) => { e.value = value; e.dispatchEvent(new Event('input', { bubbles: true })) }",
        value,
    )


def psnr(expected, found):
    return metrics.compare([(expected, found)]).psnr_db


def in_python(page):
    """The same graph as the page took, painting here."""
    precision = page.text_content("#engine").partition(" ")[0].lower()
    return load("monet-conv", "onnxruntime", precision, "rgb")


@pytest.fixture(scope="session")
def reference():
    return load("monet-conv", "onnxruntime", "fp32", "rgb")


@pytest.fixture
def picture(photos, tmp_path):
    """A photograph whose sides are no multiples of the generator's stride."""
    rgb = cv2.imread(str(photos / "01.jpg"), cv2.IMREAD_COLOR_RGB)[:117, :93]
    write_picture(tmp_path / "photo.png", rgb)
    return tmp_path / "photo.png", rgb


def test_a_camera_is_painted_as_python_paints_it(site, served, visit, reference):
    page = visit(served(site))
    page.select_option("[name=hold]", "0")
    page.click("#welcome [data-do=camera]")
    expect(page.locator("#figures")).to_have_text(re.compile(r"fps, .* delay, painted at 320.180"))
    page.uncheck("[name=mirror]")
    still(page)
    painted = seen(page)
    set_range(page, "[name=strength]", 0)
    frame = seen(page)
    assert frame.shape == (*CAMERA[::-1], 3)
    assert psnr(frame, painted) < 30  # it does paint
    assert psnr(in_python(page)(frame), painted) >= 50  # by the same graph, on other instructions
    assert psnr(reference(frame), painted) >= metrics.DRIFT_LIMITS["int8"].psnr
    assert page.problems == []


def test_two_frames_are_painted_at_once_and_shown_in_their_order(site, served, visit):
    page = visit(served(site))
    cores = page.evaluate("navigator.hardwareConcurrency")
    for _ in range(WAIT // 200):
        painters = [one for one in page.workers if one.url.endswith("app/worker.js")]
        if len(painters) == min(2, cores):
            break
        page.wait_for_timeout(200)
    assert len(painters) == min(2, cores)
    page.evaluate("""async () => {
        const { View } = await import(new URL("app/view.js", location));
        const show = View.prototype.show;
        window.shown = [];
        View.prototype.show = function (painting, look) {
          shown.push(painting.frame.timestamp);
          return show.call(this, painting, look);
        };
    }""")
    page.click("#welcome [data-do=camera]")
    shown = page.evaluate("""new Promise(resolve => {
        const look = () => shown.length > 12 ? resolve(shown) : setTimeout(look, 100);
        look();
    })""")
    assert shown == sorted(shown)  # one may be there twice: a video goes on between two looks
    assert len(set(shown)) > 8
    assert page.problems == []


def test_a_picture_is_painted_whole_and_changed_without_painting_again(
    site, served, visit, picture
):
    page = visit(served(site))
    path, rgb = picture
    page.set_input_files("#file", path)
    expect(page.locator("#figures")).to_have_text(re.compile(r"painted at 93.117 in"))
    painted = in_python(page)(rgb)
    assert psnr(painted, seen(page)) >= 50
    set_range(page, "[name=strength]", 0.5)
    assert psnr(cv2.addWeighted(rgb, 0.5, painted, 0.5, 0), seen(page)) >= 45
    set_range(page, "[name=strength]", 0)
    assert psnr(rgb, seen(page)) == metrics.IDENTICAL_DB
    set_range(page, "[name=strength]", 1)
    page.check("[name=compare]")
    set_range(page, "#divider", 0.25)
    divided = seen(page)
    assert psnr(rgb[:, :20], divided[:, :20]) == metrics.IDENTICAL_DB  # the original to the left
    assert psnr(painted[:, 30:], divided[:, 30:]) >= 50
    page.uncheck("[name=compare]")
    page.check("[name=mirror]")
    assert psnr(painted[:, ::-1], seen(page)) >= 50
    assert page.locator("[data-do=record]").is_disabled()
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert download.value.suggested_filename.endswith(".png")
    saved = cv2.imread(str(download.value.path()), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(saved, seen(page))


def test_strokes_are_painted_as_python_paints_them(stroke_bundle, served, visit, picture, tmp_path):
    """The page lays the canvas itself; a tenth of what changes a stroke would be seen."""
    assert export_site(str(stroke_bundle), tmp_path / "site")
    page = visit(served(tmp_path / "site"), storage_state=None)
    path, rgb = picture
    page.set_input_files("#file", path)
    expect(page.locator("#figures")).to_have_text(re.compile(r"painted at 93.117 in"))
    precision = page.text_content("#engine").partition(" ")[0].lower()
    painted = load(stroke_bundle, "onnxruntime", precision, "rgb")(rgb)
    apart = np.abs(painted.astype(int) - seen(page)).max(2)
    assert (apart > 8).mean() < 0.01
    assert page.problems == []


def test_a_small_painting_keeps_the_detail_of_the_frame(site, served, visit, demo_clip):
    """Held to a high rate it is painted small; the original comes back where nothing changed."""
    page = visit(served(site))
    page.select_option("[name=hold]", "60")
    page.set_input_files("#file", demo_clip)
    expect(page.locator("#figures")).to_have_text(re.compile(r"painted at [234]\d\d\D"))
    still(page)
    painted = seen(page)
    set_range(page, "[name=strength]", 0)
    frame = seen(page)
    assert frame.shape == (720, 1280, 3)
    fine = [cv2.Laplacian(x, cv2.CV_64F).std() for x in (frame, painted)]
    assert fine[1] > 0.8 * fine[0]
    assert psnr(frame, painted) < 30


def test_recordings_are_videos(site, served, visit, tmp_path):
    page = visit(served(site))
    page.click("#welcome [data-do=camera]")
    expect(page.locator("#figures")).to_have_text(re.compile("fps"))
    page.keyboard.press("r")
    expect(page.locator("[data-do=record]")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(1500)
    with page.expect_download() as download:
        page.keyboard.press("r")
    expect(page.locator("[data-do=record]")).to_have_attribute("aria-pressed", "false")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    with av.open(str(saved)) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(frames) >= 2
    assert frames[0].shape == (*CAMERA[::-1], 3)
    assert frames[-1].std() > 10  # there is a picture in it


def test_recordings_keep_the_sound_of_a_video_that_is_played_again(
    site, served, visit, make_video, tmp_path
):
    page = visit(served(site))
    page.set_input_files("#file", make_video(tmp_path / "tone.mp4", (160, 96), 25, audio="aac"))
    expect(page.locator("#figures")).to_have_text(re.compile("fps"))
    pause = page.locator("#controls [data-do=pause]")
    expect(pause).to_have_attribute("aria-pressed", "true")  # the file is at its end
    page.keyboard.press("r")
    for _ in range(2):
        page.keyboard.press(" ")
        expect(pause).to_have_attribute("aria-pressed", "false")
        expect(pause).to_have_attribute("aria-pressed", "true")
    with page.expect_download() as download:
        page.keyboard.press("r")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    with av.open(str(saved)) as video:
        pieces = [frame.to_ndarray() for frame in video.decode(audio=0)]
        rate = video.streams.audio[0].rate
    loud = sum(piece.shape[1] for piece in pieces if abs(piece).max() > 0.1) / rate
    assert 1.5 < loud < 2.5  # seconds: twice the tone, and silence between
    assert page.problems == []


def test_there_may_be_several_cameras(site, served, visit, playwright):
    two = "--use-fake-device-for-media-stream=device-count=2"
    with launched(playwright, two) as browser:
        page = visit(served(site), browser=browser)
        page.click("#welcome [data-do=camera]")
        status = page.locator("#status")
        expect(status).to_have_text(re.compile("fake_device_[01]"))
        first = status.text_content()
        page.click("[data-do=flip]")
        expect(status).to_have_text(re.compile("fake_device_[01]"))
        expect(status).not_to_have_text(first)
        page.keyboard.press("Enter")  # the button has kept the focus
        expect(status).to_have_text(first)


def test_it_opens_again_without_a_network(site, visit):
    server = SiteServer(site, 0)
    threading.Thread(target=server.run, daemon=True).start()
    page = visit(server.addresses[0], service_workers="allow")
    server.close()
    page.reload()
    expect(page.locator("#engine")).to_have_text(READY)
    page.click("#welcome [data-do=camera]")
    expect(page.locator("#figures")).to_have_text(re.compile("fps"))
    assert page.problems == []


def test_hosts_that_send_no_headers_get_threads_all_the_same(site, visit):
    class Quiet(SimpleHTTPRequestHandler):
        extensions_map = SimpleHTTPRequestHandler.extensions_map | {".mjs": "text/javascript"}

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = visit(f"http://127.0.0.1:{server.server_address[1]}/", service_workers="allow")
    assert page.evaluate("crossOriginIsolated")
    server.shutdown()
    server.server_close()


def test_nothing_comes_from_elsewhere_and_the_model_is_small(site, served, visit):
    address = served(site)
    page = visit(address)
    fetched = page.evaluate(
        "performance.getEntriesByType('resource').map(e => [e.name, e.encodedBodySize])"
    )
    assert all(name.startswith(address) for name, _ in fetched)
    used = sum(a.bytes for a in Bundle.open(site).manifest.artifacts)
    assert used < 1_000_000
    assert "unsafe-eval" not in (site / "index.html").read_text().replace("wasm-unsafe-eval", "")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (844, 390), (320, 568)])
def test_it_fits_desktops_and_phones(site, served, visit, size, picture):
    viewport = {"width": size[0], "height": size[1]}
    page = visit(served(site), ready=False, viewport=viewport)
    page.set_input_files("#file", picture[0])
    expect(page.locator("#stage")).to_have_class("open")
    wide, view = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= view
    box = page.locator("#picture").bounding_box()
    assert box["width"] >= 150 or box["height"] >= 150
    for control in page.locator("#controls button, #controls select").all():
        if box := control.bounding_box():  # one is hidden where there is one camera
            assert box["height"] >= 44  # a finger's width


def test_it_is_light_and_dark(site, served, visit):
    page = visit(served(site), ready=False)
    lightness = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ground, ink = page.evaluate(
            "[s => s.backgroundColor, s => s.color].map(f => f(getComputedStyle(document.body)))"
        )
        lightness += [sum(map(int, re.findall(r"\d+", color))) / 3 for color in (ground, ink)]
    light_ground, light_ink, dark_ground, dark_ink = lightness
    assert light_ground - light_ink > 150
    assert dark_ink - dark_ground > 150


def test_keys_and_names(site, served, visit, picture):
    page = visit(served(site), ready=False)
    page.keyboard.press("c")
    assert page.is_checked("[name=compare]")
    page.keyboard.press("m")
    assert page.is_checked("[name=mirror]")
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent.trim().split(/\\s/)[0]"))
    assert reached[:4] == ["Use", "Open", "camera", "open"]
    page.set_input_files("#file", picture[0])
    expect(page.locator("#stage")).to_have_class("open")
    for role, name in (
        ("img", "The painting"), ("slider", "strength"), ("checkbox", "compare"),
        ("combobox", "hold"), ("button", "snapshot"), ("form", "controls"),
    ):  # fmt: skip
        assert page.get_by_role(role, name=name).count() == 1, name


def test_the_focus_is_never_lost(site, served, visit):
    page = visit(served(site), ready=False)

    def focus_is_on(what):
        page.wait_for_timeout(100)  # browsers take it from what is gone when they draw next
        assert page.evaluate(f"document.activeElement.matches('{what}')")

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#stage")).to_have_class("open")
    focus_is_on("#picture:focus-visible")
    page.keyboard.press("c")
    page.focus("#divider")
    page.keyboard.press("ArrowRight")
    assert page.input_value("#divider") == "0.51"
    page.keyboard.press("c")  # the divider goes
    focus_is_on("#picture")


def test_axe_finds_nothing(site, served, visit, barriers, make_video, tmp_path):
    page = visit(served(site), permissions=[])
    assert barriers(page) == []
    page.click("#welcome [data-do=camera]")
    said(page, "may not use the camera")
    assert barriers(page) == []
    page.check("[name=compare]")
    page.set_input_files("#file", make_video(tmp_path / "clip.mp4", (160, 96), 10))
    expect(page.locator("#figures")).to_have_text(re.compile("fps"))
    page.keyboard.press("r")
    assert barriers(page) == []


WEBGPU = """async ({ artifact, multiple, paints }) => {
  if (!await navigator.gpu?.requestAdapter()) return null;
  const { Engine } = await import(new URL("app/engine.js", location));
  const engine = new Engine({ provider: "webgpu", artifact, threads: 1 });
  const model = await (await fetch(artifact.path)).arrayBuffer();
  await engine.call("load", { model, provider: "webgpu", threads: 1, multiple, paints }, [model]);
  return engine.call("check", { picture: new URL("check.png", location).href });
}"""


@pytest.mark.parametrize("strokes", [False, True])
def test_webgpu_paints_as_pytorch_does(
    site, stroke_bundle, served, visit, playwright, tmp_path, strokes
):
    """By a software adapter, which has no half precision; strokes at a quarter of the size."""
    if strokes:
        site = tmp_path / "site"
        assert export_site(str(stroke_bundle), site)
    flags = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    bundle = Bundle.open(site)
    told = bundle.manifest.model_dump(mode="json")
    told = {"multiple": told["frame"]["multiple_of"], "paints": told["strokes"]}
    artifact = bundle.find("web", "fp32").model_dump(mode="json")
    with launched(playwright, *flags, "--enable-features=Vulkan") as browser:
        page = visit(served(site), ready=False, browser=browser)
        found = page.evaluate(WEBGPU, {"artifact": artifact, **told})
    if found is None:
        pytest.skip("this Chromium has no WebGPU adapter")
    assert found >= metrics.DRIFT_LIMITS["fp32"].psnr


# --- what goes wrong ---


def said(page, words):
    expect(page.locator("#message")).to_contain_text(words)
    assert page.locator("#message").get_attribute("role") == "alert"


def test_a_denied_camera(site, served, visit, picture):
    page = visit(served(site), permissions=[])
    page.click("#welcome [data-do=camera]")
    said(page, "may not use the camera")
    page.set_input_files("#file", picture[0])  # and goes on
    expect(page.locator("#figures")).to_have_text(re.compile("painted"))
    expect(page.locator("#message")).to_be_empty()


def test_a_camera_that_goes_away(site, served, visit):
    page = visit(served(site))
    page.click("#welcome [data-do=camera]")
    expect(page.locator("#figures")).to_have_text(re.compile("fps"))
    page.context.clear_permissions()  # it then ends the camera's track, as if that were unplugged
    said(page, "went away")


def test_no_camera_and_no_simd(site, served, visit, playwright):
    old = "--js-flags=--no-enable-sse4-1 --no-enable-ssse3 --no-enable-avx"
    none = "--use-fake-device-for-media-stream=device-count=0"
    with launched(playwright, none, old) as browser:
        page = visit(served(site), ready=False, browser=browser)
        said(page, "cannot run WebAssembly SIMD")
        page.click("#welcome [data-do=camera]")
        said(page, "No camera was found")


def test_a_page_that_is_not_secure(site, served, visit, playwright, picture):
    name = f"{socket.gethostname().lower()}.local"  # strangers' names are refused
    with launched(playwright, f"--host-resolver-rules=MAP {name} 127.0.0.1") as browser:
        address = served(site).replace("localhost", name)
        page = visit(address, browser=browser, permissions=[])
        page.click("#welcome [data-do=camera]")
        said(page, "pleinair serve --https")
        page.set_input_files("#file", picture[0])
        expect(page.locator("#figures")).to_have_text(re.compile("painted"))


@pytest.mark.parametrize(
    ("name", "words"),
    [("int8.web.onnx", "The model is missing"), ("manifest.json", "manifest.json is missing")],
)
def test_a_site_that_lacks_a_file(copied, served, visit, name, words):
    address = served(copied)
    (copied / name).unlink()
    page = visit(address, ready=False, storage_state=None)
    said(page, words)


def test_a_model_that_was_changed(copied, served, visit):
    address = served(copied)
    with (copied / "int8.web.onnx").open("r+b") as file:
        file.seek(5000)
        file.write(b"changed")
    said(visit(address, ready=False, storage_state=None), "changed or damaged")


def test_a_model_that_paints_wrongly_is_not_used(copied, served, visit):
    """What a driver or an emulation gets wrong shows in the photograph that the page checks."""
    address = served(copied)
    check = cv2.imread(str(copied / "check.png"))
    check[:, check.shape[1] // 2 :] = cv2.add(check[:, check.shape[1] // 2 :], 9)
    cv2.imwrite(str(copied / "check.png"), check)
    page = visit(address, ready=False, storage_state=None)
    said(page, "paints wrongly here")


@pytest.mark.parametrize("name", ["text.jpg", "text.mp4"])
def test_files_that_are_none(site, served, visit, tmp_path, name):
    (tmp_path / name).write_text("no picture at all")
    page = visit(served(site), ready=False)
    page.set_input_files("#file", tmp_path / name)
    said(page, f"{name} cannot be read")


def test_a_picture_of_a_hundred_megapixels(site, served, visit, tmp_path):
    cv2.imwrite(str(tmp_path / "huge.png"), np.zeros((10_000, 10_000), np.uint8))
    page = visit(served(site), ready=False)
    page.set_input_files("#file", tmp_path / "huge.png")
    said(page, "huge.png has 100 megapixels")
