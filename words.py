"""Words that people try, and ours that they mean: of names, of verbs, and of options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Final

# Ours, and what people write for it, in small letters and without signs between them. One word may
# mean several of ours; which, depends on what is known where it is written.
_OURS: Final = {
    # targets, backends and their devices
    "litert": "android phone tflite mobile",
    "executorch": "android phone pte mobile",
    "ncnn": "android phone mobile",
    "ort": "android phone mobile",
    "coreml": "apple ios ipad iphone mac macos mlmodel mlpackage mps neuralengine phone mobile",
    "web": "browser html js wasm webgpu website",
    "jetson": "jetson orin nano",
    "openvino": "cpu intel ov",
    "openvino:gpu": "gpu igpu graphics",
    "openvino:npu": "npu",
    "onnxruntime": "cpu onnx ort",
    "onnxruntime:cuda": "cuda gpu graphics nvidia",
    "onnxruntime:directml": "directml dml",
    "tensorrt": "cuda gpu graphics jetson nvidia trt",
    "onnx": "onnxruntime",
    "opencv": "cv2 cv",
    "torch": "pytorch",
    "pt2": "pytorch torch torchscript script",
    "cuda": "gpu nvidia graphics",
    "auto": "all any best default fastest",
    # precisions, measures of drift, scenarios
    "int8": "8 8bit i8 int4 4bit fp8 quantised quantized uint8",
    "fp16": "16 16bit bf16 bfloat16 f16 float16 fp8 half",
    "fp32": "32 32bit f32 float float32 full single",
    "delta_e": "ciede2000 deltae de2000",
    "psnr": "db",
    "single-stream": "latency",
    "offline": "throughput",
    # codecs, presets, strokes
    "h264": "avc x264 libx264",
    "hevc": "h265 x265 libx265",
    "av1": "libaom svtav1",
    "ultrafast": "fastest",
    "slower": "slowest best veryslow",
    "medium": "middle normal m default",
    "large": "big broad coarse huge l thick xl",
    "fine": "s small thin tiny",
    # models, recipes, engines
    "monet": "claude impressionism impressionist",
    "van-gogh": "gogh vangogh vincent starrynight",
    "seurat": "dots pointillism pointillist",
    "monet2photo": "cyclegan",
    "unpaired": "cyclegan",
    "paired": "pix2pix",
    "ray": "cluster",
    # sinks
    "window": "display gui preview screen",
    "http": "browser obs page server",
    "virtual-camera": "camera meet obs teams vcam webcam zoom",
    "null": "none off",
    # verbs
    "translate": "apply convert filter folder image infer inference paint photo picture predict"
    " process render run style stylise stylize transfer video",
    "live": "cam camera gui play record run show start stream ui video watch webcam window",
    "models": "download list ls model styles",
    "cameras": "cam camera default facetime usb webcam webcams",
    "doctor": "check devices env environment info install setup status",
    "bench": "benchmark measure perf profile speed",
    "bench compare": "compare diff",
    "export": "build compile coreml int8 litert onnx openvino quantise quantize tensorrt",
    "verify": "test validate",
    "evaluate": "eval fid kid metrics score",
    "train": "continue distil distill finetune fit learn resume",
    "train --list": "recipe recipes",
    "serve": "host html page server site web website",
    "deploy jetson": "jetson",
    # options, without their dashes
    "backend": "accelerator cuda device gpu provider runtime",
    "background": "bg",
    "calibration": "calib calibrationdata calibrationset data dataset images photos",
    "camera-size": "res resolution",
    "codec": "encoder vcodec",
    "data": "dataroot dataset datadir folder",
    "debug": "traceback v verbose",
    "device": "cuda gpu",
    "duration": "limit seconds t time",
    "end": "to until",
    "frames": "iterations n repeats runs",
    "hardware": "hwaccel nvenc vaapi videotoolbox",
    "help": "aide ayuda h hilfe man usage",
    "https": "secure ssl tls",
    "init": "checkpoint ckpt pretrained resume weights",
    "json": "format output",
    "licence": "license",
    "max-drift": "drift minpsnr psnr tolerance",
    "mirror": "flip",
    "model": "checkpoint ckpt m network style weights",
    "out": "dest destination o output outdir outputdir save",
    "overwrite": "f force replace y yes",
    "photos": "images photographs",
    "pictures": "images paintings",
    "precision": "dtype fp16 fp32 half int8 quant quantise quantize",
    "quality": "bitrate crf q qp",
    "set": "batch batchsize epochs imagesize iterations learningrate lr override steps",
    "sink": "host output o port record save to",
    "size": "height imgsz res resolution width",
    "source": "c cam camera camid i in input url video webcam",
    "start": "begin from ss",
    "strength": "alpha amount intensity opacity",
    "stroke": "brush brushsize strokesize strokes",
    "target": "format",
    "target-fps": "fps framerate",
    "threads": "cores cpus j jobs workers",
    "token": "key password",
    "version": "release v",
}
_MEANT: Final[dict[str, list[str]]] = {}
for _ours, _words in _OURS.items():
    for _word in _words.split():
        _MEANT.setdefault(_word, []).append(_ours)


def plain(name: str) -> str:
    """Returns a name in small letters, without signs between them: ``Van_Gogh`` is ``vangogh``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns which known names may be meant: written otherwise, by meaning, or by spelling."""
    known = list(known)
    if same := [word for word in known if plain(word) == plain(name)]:
        return same
    if plain(name) in _MEANT:  # "ort" is not "torch" misspelled, nor "gpu" "cpu"
        return meant_names(name, known)
    return difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)


def meant_names(name: str, known: Iterable[str]) -> list[str]:
    """Returns which known names a word means; of a backend with a device the backend is known."""
    known = set(known)
    meant = _MEANT.get(plain(name), ())
    return [word for word in meant if word in known or word.partition(":")[0] in known]
