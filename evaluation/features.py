"""Feature networks: a vector for each picture, to compare sets of pictures.

The default is Inception v3 with the weights and resizing of published FID and KID
(torch-fidelity).

A file is ONNX (``.onnx``) or TorchScript (``.pt``, ``.ts``). It takes one picture, float32
``(1, 3, S, S)``, RGB, 0..255, and returns its D features as ``(1, D)`` or ``(1, D, 1, 1)``;
normalisation is inside. S stands in the ONNX input's shape; a TorchScript module has it as the
attribute ``size``, else it is 224. Pictures of any shape are resized to S x S with OpenCV's
INTER_AREA, which is part of the contract: another resize gives other distances.
``docs/evaluation.md`` shows how to make such a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch

from ..bundle.bundle import sha256_of
from ..checks import check_onnx
from ..errors import PleinairError, UsageError, last_line
from ..pictures import Pixels

Vectors = npt.NDArray[np.float32]  # [N, D]
Features = Callable[[Iterable[Pixels]], Vectors]  # from uint8 RGB [H, W, 3] of any sizes
_Network = Callable[[npt.NDArray[Any]], npt.NDArray[Any]]  # one picture, as the contract says

INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
DEFAULT_SIZE = 224  # of TorchScript modules that do not say


def load_features(path: Path | None) -> Features:
    """Loads a feature network, on the CPU.

    Args:
        path: An ONNX or TorchScript file; None takes Inception v3, fetched on first use.

    Raises:
        UsageError: There is no such file, or its suffix is unknown.
        PleinairError: The file does not keep to the contract, or Inception cannot be fetched.
    """
    if path is None:
        return _inception()
    loaders = {".onnx": _load_onnx, ".pt": _load_torchscript, ".ts": _load_torchscript}
    load = loaders.get(path.suffix.lower())
    if load is None:
        raise UsageError(f"feature network {path} must end in {', '.join(loaders)}")
    if not path.is_file():
        raise UsageError(f"feature network {path} does not exist")
    network, size = load(path)

    def features(pictures: Iterable[Pixels]) -> Vectors:
        return np.concatenate([_checked(network, _fit(p, size), path) for p in pictures])

    features([np.zeros((size, size, 3), np.uint8)])  # errors are raised now, not later
    return features


def _fit(picture: Pixels, size: int) -> npt.NDArray[Any]:
    """uint8 [H, W, 3] to float32 (1, 3, size, size), 0..255."""
    fitted = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(fitted.transpose(2, 0, 1)[None], np.float32)


def _checked(network: _Network, picture: npt.NDArray[Any], path: Path) -> Vectors:
    """The features of one picture, (1, D)."""
    try:
        out = network(picture)
    except Exception as error:  # each library has its own
        raise PleinairError(
            f"feature network {path} does not take float32 {list(picture.shape)}:"
            f" {last_line(error)}"
        ) from error
    if out.ndim not in (2, 4) or out.shape[0] != 1 or out.size != out.shape[1]:
        raise PleinairError(
            f"feature network {path} must return (1, D) for a picture, not {list(out.shape)}"
        )
    if not np.isfinite(out).all():
        raise PleinairError(f"feature network {path} returns numbers that are not finite")
    return out.reshape(1, -1).astype(np.float32)


def _load_onnx(path: Path) -> tuple[_Network, int]:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4  # what it would print is in the exception
    try:
        check_onnx(path, path.parent, strict=False)
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common class
        raise PleinairError(
            f"feature network {path} is no ONNX file that can be run: {last_line(error)}"
        ) from error
    taken = session.get_inputs()[0]
    height, width = ([*taken.shape, None, None, None, None])[2:4]
    if not isinstance(height, int) or height != width:
        raise PleinairError(
            f"feature network {path} takes {taken.shape}; export it for (1, 3, S, S) with a fixed S"
        )
    return lambda picture: np.asarray(session.run(None, {taken.name: picture})[0]), height


def _load_torchscript(path: Path) -> tuple[_Network, int]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch has a newer format, which few files are in
            module = torch.jit.load(str(path), map_location="cpu").eval()
    except Exception as error:  # torch raises several types for a file of another kind
        raise PleinairError(
            f"feature network {path} is no TorchScript file; save it with torch.jit.save"
        ) from error

    def network(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
        with torch.no_grad():
            out: npt.NDArray[Any] = module(torch.from_numpy(picture)).numpy()
            return out

    return network, int(getattr(module, "size", DEFAULT_SIZE))


def _inception() -> Features:
    from torch_fidelity.feature_extractor_inceptionv3 import (
        URL_INCEPTION_V3,
        FeatureExtractorInceptionV3,
    )

    weights = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rpartition("/")[2]
    if not weights.exists():
        _fetch(URL_INCEPTION_V3, weights)
    if sha256_of(weights) != INCEPTION_SHA256:
        raise PleinairError(
            f"{weights} does not hold Inception's weights as they were published: its sha256"
            " differs; delete it, it is fetched again"
        )
    try:
        # torch-fidelity initialises weights before loading, and would unpickle any file.
        with torch.random.fork_rng(devices=[]), _tensors_only():
            network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise PleinairError(
            f"{weights} does not hold Inception's weights; delete it, it is fetched again"
        ) from error

    def features(pictures: Iterable[Pixels]) -> Vectors:
        with torch.no_grad():
            vectors = [network(torch.from_numpy(_planes(p)))[0].numpy() for p in pictures]
        return np.concatenate(vectors)

    return features


@contextmanager
def _tensors_only() -> Iterator[None]:
    """Restricts ``torch.load`` to tensors and plain values, for any caller."""
    load = torch.load

    def only(path: Any, **options: Any) -> Any:
        return load(path, **(options | {"weights_only": True}))

    torch.load = only  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.load = load


def _planes(picture: Pixels) -> npt.NDArray[Any]:
    """uint8 [H, W, 3] to uint8 (1, 3, H, W)."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1)[None])


def _fetch(url: str, path: Path) -> None:
    """Downloads a file whose name ends in the start of its sha256, as torch.hub's do."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hash_prefix = path.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(url, str(path), hash_prefix, progress=False)
    except (OSError, RuntimeError) as error:  # no network; another hash
        raise PleinairError(
            f"Inception's weights cannot be fetched ({last_line(error)}); download {url} to {path},"
            " or name a feature network of your own (--features, evaluate.features in a recipe)"
        ) from error
