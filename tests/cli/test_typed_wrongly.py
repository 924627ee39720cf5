"""What people type wrongly gets one true sentence and the documented status, without PyTorch."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

PICTURE = "is not a bundle"
NUMBER, WHOLE = "' is a number, got", "' is a whole number, got"
SIZE = "is not of the form WxH, e.g. 640x360"


@pytest.fixture
def desk(tmp_path, monkeypatch, photos, demo_clip):
    """A folder with files of every kind, where nothing that needs PyTorch can be imported."""
    monkeypatch.chdir(tmp_path)
    for module in ("train.recipe_checks", "export.exporter", "api.evaluate"):  # these need it
        monkeypatch.setitem(sys.modules, f"pleinair.{module}", None)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for name, target in (
        ("photo.jpg", photos / "00.jpg"),
        ("photos", photos),
        ("film.mp4", demo_clip),
    ):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "my photo.jpg").symlink_to(photos / "00.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "damaged.pth").write_text("hello")
    (tmp_path / "damaged.onnx").write_text("hello")
    (tmp_path / "figures.json").write_text("{}")
    return tmp_path


VERBS = [
    ("-V", 2, "did you mean --debug or --version?"),
    ("help train", 2, "did you mean 'train --help'?"),
    ("hilfe", 2, "did you mean '--help'?"),
    ("aide live", 2, "did you mean 'live --help'?"),
    ("monet photo.jpg", 2, "did you mean 'translate IN OUT --model monet' or 'live --model monet'"),
    ("android", 2, "'export SOURCE --target litert' or"),
    ("ios", 2, "'export SOURCE --target coreml'"),
    ("deploy android", 2, "'export SOURCE --target litert' or"),
    ("gui", 2, "did you mean 'live'?"),
    ("download monet", 2, "did you mean 'models'?"),
    ("übersetzen photo.jpg out.jpg", 2, "'übersetzen' is not a verb of pleinair; see"),
    ("Translate photo.jpg out.jpg", 2, "did you mean 'translate'?"),
    ("--model monet translate", 2, "options of a verb follow the verb"),
    ("demo out.mp4", 2, "the video is an option: --out demo.mp4"),
    ("import damaged.pth out.pt --out out.pt", 2, "the file to write is an option"),
    ("export monet --out b --target onnx openvino", 2, "repeat the option: --target onnx"),
    ("bench monet --out b --size 640x360 320x180", 2, "repeat the option: --size 640x360"),
    ("export monet --device cuda --out b", 2, "pleinair export has no option --device; see"),
    ("translate -i photo.jpg", 2, "did you mean IN, a word without --?"),
]
VALUES = [
    ("translate photo.jpg out.jpg --strength 2", 2, "'--strength' is at most 1, got '2'"),
    ("translate photo.jpg out.jpg --strength -0.5", 2, "'--strength' is at least 0, got '-0.5'"),
    ("translate photo.jpg out.jpg --strength 60%", 2, f"'--strength{NUMBER} '60%'"),
    ("translate photo.jpg out.jpg --strength 0,6", 2, f"'--strength{NUMBER} '0,6'"),
    ("translate photo.jpg out.jpg --strength nan", 2, "got 'nan'"),
    ("translate film.mp4 out.mp4 --quality high", 2, f"'--quality{WHOLE} 'high'"),
    ("translate film.mp4 out.mp4 --quality 90", 2, "'--quality' is at most 51, got '90'"),
    ("translate film.mp4 out.mp4 --max-pixels 4K", 2, f"'--max-pixels{WHOLE} '4K'"),
    ("translate film.mp4 out.mp4 --start 1m30s", 2, "--start '1m30s' is not a time"),
    ("translate film.mp4 out.mp4 --end 1.5x", 2, "--end '1.5x' is not a time"),
    ("translate film.mp4 out.mp4 --codec vp8", 2, "unknown codec 'vp8'"),
    ("translate film.mp4 out.mp4 --background purple", 2, "'purple' is not a colour"),
    ("translate photo.jpg out.jpg --stroke gross", 2, "unknown stroke 'gross'"),
    ("translate photo.jpg out.jpg --model Van_Gogh", 2, "did you mean 'van-gogh'?"),
    ("translate photo.jpg out.jpg --backend gpu", 2, "'openvino:gpu' or 'onnxruntime:cuda'"),
    ("live film.mp4 --sink null --size 720p", 2, f"--size '720p' {SIZE}"),
    ("live film.mp4 --sink null --size 1280*720", 2, f"--size '1280*720' {SIZE}"),
    ("live film.mp4 --sink null --size 1280x720px", 2, f"--size '1280x720px' {SIZE}"),
    ("live 0 --sink null --camera-size vga", 2, f"--camera-size 'vga' {SIZE}"),
    ("live film.mp4 --sink null --target-fps 30fps", 2, f"'--target-fps{NUMBER} '30fps'"),
    ("live film.mp4 --sink null --target-fps 0", 2, "'--target-fps' is at least 1, got '0'"),
    ("live film.mp4 --sink null --duration 10s", 2, f"'--duration{NUMBER} '10s'"),
    ("live film.mp4 --sink http:99999", 2, "a PORT up to 65535"),
    ("live film.mp4 --sink http://localhost:80", 2, "write http:HOST:PORT"),
    ("live film.mp4 --sink 8080", 2, "sink '8080' is none of window, http"),
    ("train smoke --out r --set optim.steps=many", 1, "optim.steps: Input should be a valid"),
    ("train smoke --out r --set optim.steps=-1", 1, "optim.steps: Input should be greater"),
    ("train smoke --out r --set optim.stepz=5", 1, "did you mean 'steps'? (in [optim])"),
    ("export monet --out b --input-range nan,1", 2, "--input-range 'nan,1' is not of the form"),
    ("export monet --out b --input-range 0-255", 2, "--input-range '0-255' is not of the form"),
    ("export monet --out b --input-range 0,255", 2, "--input-range is for a float .onnx"),
    ("export monet --out b --max-drift psnr=high", 2, "is not of the form psnr=NUMBER"),
    ("bench monet --out b --size 720p", 2, f"--size '720p' {SIZE}"),
    ("bench monet --out b --duration 2s", 2, f"'--duration{NUMBER} '2s'"),
    ("bench monet --out b --threads all", 2, f"'--threads{WHOLE} 'all'"),
    ("bench monet --out b --frames 0", 2, "'--frames' is at least 2, got '0'"),
    ("serve photos --port abc", 2, f"'--port{WHOLE} 'abc'"),
    ("evaluate monet --pictures 1", 2, "'--pictures' is at least 2, got '1'"),
]
FILES = [
    ("translate notes.txt out.jpg", 2, "notes.txt is no picture, and read as a video, so"),
    ("translate film.mp4 out.jpg", 2, "film.mp4 is read as a video, so the output must end in"),
    ("translate photo.jpg out.pdf", 2, "photo.jpg is read as a picture, so the output must"),
    ("translate photos out.jpg", 2, "photos is a folder, so the output must be one too"),
    ("translate empty out", 1, "folder empty holds no pictures or videos"),
    (r"translate 'C:\Users\me\photo.jpg' out.jpg", 2, r"C:\Users\me\photo.jpg does not exist"),
    ("translate '\"photo.jpg\"' out.jpg", 2, '"photo.jpg" does not exist'),
    (
        "translate http://a.org/photo.jpg out.jpg",
        2,
        "is a stream or page, not a file",
    ),
    ("translate s3://bucket/photos out", 2, "--engine ray reads it"),
    ("translate rtsp://a/b out.mp4", 2, "is a stream, not a file"),
    ("translate photo.jpg out.jpg --model photo.jpg", 1, PICTURE),
    ("translate photo.jpg out.jpg --model empty", 1, "it has no manifest.json"),
    ("translate photo.jpg out.jpg --model damaged.pth", 1, "is not a readable checkpoint"),
    ("translate photo.jpg out.jpg --model damaged.onnx", 1, "is not a valid ONNX model"),
    ("live film.mp4", 1, "there is no display for a window"),
    ("live empty --sink null", 1, "folder empty holds no pictures"),
    ("live 192.168.1.7:8080 --sink null", 2, "begin it with http:// or rtsp://"),
    ("live www.example.com/a --sink null", 2, "begin it with http:// or rtsp://"),
    ("live film.mp4 --sink photo.jpg", 2, "or a video file"),
    ("live film.mp4 --sink film.mp4", 2, "output film.mp4 is the input"),
    ("demo --out demo.jpg", 2, "so the output must end in"),
    ("train hand --out r", 2, "name yours with --data, or for a hand with --pictures"),
    ("train notes.txt --out r", 1, "recipe notes.txt cannot be read: Expected '='"),
    ("train photo.jpg --out r", 1, "recipe photo.jpg cannot be read: it is no UTF-8"),
    ("train nothere.toml --out r", 2, "recipe nothere.toml does not exist"),
    ("train hand --out r --pictures photos", 2, "--pictures and --photos go together"),
    ("train hand --out r --pictures empty --photos photos", 1, "empty holds no pictures"),
    ("train unpaired --out r --data empty", 2, "data folder empty/trainA does not exist"),
    ("import monet --out out.pt", 2, "monet is not a checkpoint but a bundle"),
    ("import nothere.pth --out out.pt", 2, "nothere.pth does not exist"),
    ("evaluate monet", 2, "no pictures are named; give --data"),
    ("evaluate monet --data nothere", 2, "--data nothere does not exist"),
    ("evaluate monet --data empty", 2, "folder empty/testB does not exist"),
    ("evaluate monet --features nothere", 2, "--features nothere does not exist"),
    ("evaluate monet --sheet notes.txt", 2, "--sheet notes.txt is not a name for a picture"),
    ("export photo.jpg --out b", 1, PICTURE),
    ("export monet --out b --calibration empty", 1, "holds 0 usable photographs"),
    ("export monet --out b --calibration notes.txt", 1, "notes.txt cannot be used"),
    ("deploy jetson monet --out photo.jpg", 2, "photo.jpg is not a kit that pleinair wrote"),
    ("deploy jetson monet --out k --calibration nothere", 2, "nothere does not exist"),
    ("verify empty", 1, "it has no manifest.json"),
    ("bench monet --out b --clip photo.jpg", 1, "flicker needs at least 2 frames"),
    ("bench compare empty empty", 2, "empty/results.json cannot be read"),
    ("bench table figures.json", 1, "is not a results.json of pleinair bench"),
    ("serve photo.jpg", 1, PICTURE),
    ("serve monet", 1, "monet has no page for browsers"),
]


# Met on walks of people who had read nothing.
WALKED = [
    ("translate", 2, "Missing argument 'IN'"),
    ("translate photo.jpg", 2, "Missing argument 'OUT'"),
    ("translate photo.jpg out.jpg monet", 2, "the model is an option: --model monet"),
    ("translate photo.jpg to out.jpg", 2, "for several pictures give their folder"),
    ("translate photo.jpg -o out.jpg", 2, "did you mean OUT, a word without --?"),
    ("translate photo.jpg out.jpg -m monet", 2, "did you mean --model?"),
    ("translate photo.jpg out.jpg --model=Claude-Monet", 2, "did you mean 'monet'?"),
    ("translate photo.jpg out.jpg --strength 50%", 2, "'--strength' is a number, got '50%'"),
    ("translate film.mp4 out.mp4 --start 1:30", 1, "no frame that can be decoded after 90 seconds"),
    ("translate film.mp4 out.mp4 --codec vp9", 2, "unknown codec 'vp9'; did you mean 'av1'?"),
    ("translate film.mp4 out.mp4 --codec prores", 2, "known: av1, h264, hevc"),
    ("translate film.mp4 out.avi", 2, "so the output must end in .apng, .gif, .m4v"),
    ("translate film.mp4 out.jpg", 2, "so the output must end in .apng, .gif, .m4v"),
    ("translate photo.jpg out.heic", 2, "so the output must end in .bmp, .jpeg"),
    ("translate film.mp4 out.mp4 --half", 2, "did you mean --precision?"),
    ("translate film.mp4 out.mp4 --stedy", 2, "did you mean --steady?"),
    ("translate photo.jpg photo.jpg", 2, "output photo.jpg is the input"),
    ("translate - out.jpg", 2, "- does not exist"),
    ("live film.mp4 van-gogh", 2, "the model is an option: --model van-gogh"),
    ("live --camera 0", 2, "did you mean --source?"),
    ("live --port 8080", 2, "did you mean --sink?"),
    ("live film.mp4 --sink http:localhost", 2, "http:localhost has no port"),
    ("live film.mp4 --sink rtmp://a.b/c", 2, "is none of window, http, virtual-camera"),
    ("live film.mp4 --sink null --repeat", 2, "did you mean --loop?"),
    ("live rtsp://host/x --sink null --loop", 2, "rtsp://host/x is a stream"),
    ("train", 2, "Missing argument 'recipe'"),
    ("train photos paintings --out r", 2, "--pictures paintings --photos photographs"),
    ("train hand --out r --lr 0.001", 2, "did you mean --set?"),
    ("train hand --out r --set optim.step=10", 1, "unknown key 'step'; did you mean 'steps'?"),
    ("train hand --out r --pictures photo.jpg --photos photos", 2, "photo.jpg is no folder"),
    ("export monet van-gogh --out b", 2, "give one model at a time"),
    ("export monet --out b --int8", 2, "did you mean --precision?"),
    ("export monet --out b --opset 17", 2, "graphs are written as each target takes them; see"),
    ("export monet --out b --max-drift psnr:38", 2, "not of the form MEASURE=NUMBER"),
    ("export monet --out b --max-drift lpips=0.1", 2, "unknown measure of drift 'lpips'; known:"),
    ("export film.mp4 --out b", 1, PICTURE),
    ("deploy jetson monet --out k --precision fp32", 2, "jetson has fp16, int8"),
    ("deploy jetson monet --out k --precision int4", 2, "did you mean 'int8'?"),
    ("deploy docker", 2, "'docker' is not a verb of pleinair deploy"),
    ("import film.mp4 --out m.pt", 1, "is not a checkpoint but a video"),
    ("evaluate monet photos", 2, "pictures are an option: --data FOLDER"),
    ("bench monet van-gogh --out b", 2, "give one model at a time"),
    ("bench monet --out b --rounds 3", 2, "has no option --rounds"),
    ("bench compare figures.json figures.json", 1, "is not a results.json of pleinair bench"),
    ("verify monet photos", 2, "pictures are an option: --pictures FOLDER"),
    ("verify monet --pictures notes.txt", 1, "notes.txt cannot be opened"),
    ("serve monet --prot 80", 2, "did you mean --port?"),
    ("models monet", 2, "Got unexpected extra argument(s) (monet); see pleinair models"),
    ("--verison", 2, "did you mean --version?"),
    ("upgrade", 2, "did you mean 'doctor'?"),
    ("film.mp4 out.mp4", 2, "did you mean 'translate film.mp4 OUT' or 'live film.mp4'?"),
]

# As shells and pages leave words.
PASTED = [
    (
        "translate photo.jpg out.jpg \u2014model monet",
        "\u2014model begins with a dash as pages print",
    ),
    ("translate photo.jpg out.jpg \u2013model=monet", "print it; type --model=monet"),
    ("translate photo.jpg out.jpg \u2010\u2010model monet", "type --model"),
    ("translate photo.jpg out.jpg \u2212\u2212model monet", "type --model"),
    ("translate photo.jpg out.jpg -model monet", "-model begins with one dash; an option has two"),
    ("translate photo.jpg out.jpg /model monet", "an option begins with two dashes: --model"),
    ("translate photo.jpg out.jpg model=monet", "begins with two dashes: --model monet"),
    ("translate photo.jpg out.jpg --model:monet", "did you mean --model?"),
    ("translate photo.jpg out.jpg --MODEL monet", "did you mean --model?"),
    ("translate photo.jpg out.jpg --models monet", "did you mean --model?"),
    ("translate photo.jpg out.jpg --model 'monet '", "did you mean 'monet'?"),
    ("translate photo.jpg out.jpg --model \u201cmonet\u201d", 'does not know; type "monet"'),
    ("translate \u201cphoto.jpg\u201d out.jpg", 'does not know; type "photo.jpg"'),
    ("translate \u00abphoto.jpg\u00bb out.jpg", 'does not know; type "photo.jpg"'),
    ("translate my photo.jpg out.jpg", 'did you mean "my photo.jpg", in quotes?'),
    ("translate 'my photo' out.jpg", "my photo does not exist"),
    (r"translate photo.jpg 'C:\Users\me\out.jpg'", "in WSL it is /mnt/c/Users/me/out.jpg"),
    ("live D:/film.mp4 --sink null", "in WSL it is /mnt/d/film.mp4"),
    ("translate '~/photo.jpg' out.jpg", "did you mean {home}/photo.jpg?"),
    ("translate photo.jpg '$HOME/out.jpg'", "did you mean {home}/out.jpg?"),
    ("export monet '--out=~/b'", "did you mean {home}/b?"),
    (r"translate '%USERPROFILE%\a.jpg' out.jpg", "write the name of the folder itself"),
    ("live '~nobody-here/film.mp4' --sink null", "write the name of the folder itself"),
    ("translate '' out.jpg", "the source's name is empty"),
    ("live '' --sink null", "the source's name is empty"),
    ("live film.mp4 --sink ''", "--sink is empty; give it a value, or leave it out"),
    ("translate photo.jpg out.jpg --model=", "--model is empty"),
    ("train smoke --out ''", "--out is empty"),
    ("translate example.com/a.jpg out.jpg", "if it is an address, download the file first"),
    ("translate youtube.com/watch?v=abc out.mp4", "if it is an address, download the file"),
    ("translate file://photo.jpg out.jpg", "of a file its path is enough, without file://"),
    ("live localhost:8554/cam --sink null", "begin it with http:// or rtsp://"),
    ("\u2014help", "type --help"),
    ("-help", "an option has two, --help, and a verb none"),
    ("-live", "and a verb none"),
    ("?", "did you mean '--help'?"),
    ("''", "the verb is empty"),
    ("LIVE", "did you mean 'live'?"),
    ("Monet", "--model monet'"),
    ("van gogh", "--model van-gogh'"),
    ("pleinair.py translate photo.jpg out.jpg", "did you mean 'translate'?"),
    ("python -m pleinair translate photo.jpg out.jpg", "did you mean 'translate'?"),
    ("'live --sink http'", "did you mean 'live'?"),
    ("translate,photo.jpg,out.jpg", "did you mean 'translate'?"),
]
# Options as neighbours call them, and of other verbs.
NEIGHBOURS = [
    ("--input photo.jpg --output out.jpg", "options of a verb follow the verb"),
    ("--source 0", "see pleinair --help; --source is an option of live"),
    ("translate photo.jpg --output out.jpg", "did you mean OUT, a word without --?"),
    ("translate photo.jpg --sink out.jpg", "did you mean OUT, a word without --?"),
    ("translate photo.jpg out.jpg --weights monet", "did you mean --model?"),
    ("translate photo.jpg out.jpg --imgsz 640", "the output is as large as the input"),
    ("translate film.mp4 out.mp4 --size 720p", "the output is as large as the input"),
    ("translate film.mp4 out.mp4 --fps 30", "frames keep their times"),
    ("translate film.mp4 out.mp4 --no-audio", "sound is kept as it is"),
    ("translate photo.jpg out.jpg --seed 3", "the same picture is painted the same"),
    ("translate photo.jpg out.jpg --prompt monet", "--model names it"),
    ("translate photo.jpg out.jpg --target web", "--target is an option of evaluate, export"),
    (
        "translate photo.jpg out.jpg --pictures photos",
        "--pictures is an option of train, evaluate, verify",
    ),
    ("translate photo.jpg out.jpg --set a=b", "--set is an option of train"),
    ("translate photo.jpg out.jpg --port 80", "--port is an option of serve"),
    ("export monet --out b --strength 0.5", "--strength is an option of translate, live"),
    ("live --webcam 0", "did you mean --source?"),
    ("live film.mp4 --output out.mp4", "did you mean --sink?"),
    ("live film.mp4 --sink 0.0.0.0:8080", "did you mean 'http:0.0.0.0:8080'?"),
    ("live film.mp4 --sink web", "did you mean 'http'?"),
    ("live film.mp4 --sink window,http", "repeat the option: --sink window --sink http"),
    ("live film.mp4 --sink 'http, window'", "repeat the option: --sink http --sink window"),
    ("live film.mp4 --sink rtmp://a.b/c", "let OBS stream: show it the page of --sink http"),
    ("live film.mp4 --sink twitch", "let OBS stream: show it the page of --sink http"),
    ("live film.mp4 --sink v4l2", "did you mean 'virtual-camera'?"),
    ("live film.mp4 --sink /dev/video10", "did you mean 'virtual-camera'?"),
    ("live --filter monet", "did you mean --model?"),
    ("obs", "did you mean 'live'?"),
    ("fidelity monet", "did you mean 'verify'?"),
    ("fps monet", "did you mean 'bench'?"),
    ("export --weights monet --out b", "did you mean SOURCE, a word without --?"),
    ("export monet --output b", "did you mean --out?"),
    ("convert latest_net_G.pth", "did you mean 'translate' or 'import' or 'export'?"),
    ("load latest_net_G.pth", "did you mean 'import'?"),
    ("calibrate monet", "did you mean 'export'?"),
    ("import x.pth --arch resnet_9blocks --out x.pt", "the architecture is read from the file"),
    ("export monet --out b --opset 17", "graphs are written as each target takes them"),
    ("export monet --dynamic --out b", "artifacts take any size where their target can"),
    ("bench --model monet --out b", "did you mean BUNDLE, a word without --?"),
    ("verify --model monet", "did you mean BUNDLE, a word without --?"),
    ("verify monet --data photos", "did you mean --pictures?"),
    ("train --config smoke", "did you mean RECIPE, a word without --?"),
    ("train smoke --out r --resume", "the same command goes on where a run was interrupted"),
    ("serve --dir site", "did you mean SITE, a word without --?"),
    ("serve monet -p 80", "did you mean --port?"),
    ("models list", "see pleinair models --help"),
    ("cameras 0", "to paint one: pleinair live NUMBER"),
    ("deploy web monet --out site", "did you mean 'export SOURCE --target web'?"),
    ("deploy raspberry", "did you mean 'export SOURCE --target onnx'?"),
]
TYPED = [(line, 2, said) for line, said in (*PASTED, *NEIGHBOURS)]


@pytest.mark.parametrize(("line", "code", "said"), [*VERBS, *VALUES, *FILES, *WALKED, *TYPED])
def test_one_true_sentence(cli, desk, line, code, said):
    before = {path.name for path in desk.iterdir()}
    run = cli(*shlex.split(line))
    assert said.replace("{home}", str(Path.home())) in run.error()
    assert run.code == code
    assert {path.name for path in desk.iterdir()} == before


def test_a_checkpoint_is_opened_once_before_a_camera(cli, desk, monkeypatch, stroke_run):
    monkeypatch.undo()
    from pleinair.runtime.live import live

    opened = []
    real = live.open_model
    monkeypatch.setattr(live, "open_model", lambda model: opened.append(model) or real(model))
    film = desk / "film.mp4"
    run = cli("live", film, "--sink", "null", "--model", stroke_run, "--duration", "0.1")
    assert run.code == 0
    assert opened == [str(stroke_run)]


def test_a_demo_into_a_folder_takes_its_own_name(cli, tmp_path, monkeypatch):
    from pleinair.runtime.translate import demo

    asked = []

    class Stop(Exception):
        pass

    def run_demo(out, *_):
        asked.append(out)
        raise Stop

    monkeypatch.setattr(demo, "run_demo", run_demo)
    cli("demo", "--out", tmp_path)
    assert asked == [tmp_path / "demo.mp4"]
