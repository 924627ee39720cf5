from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pleinair.errors import TrainingError
from pleinair.pictures import write_picture
from pleinair.train.data.corrupt import CorruptTally
from pleinair.train.data.domains import load_source, load_target, target_folder
from pleinair.train.data.loader import Batch, TrainingPictures, find_pictures, make_loader
from pleinair.train.recipe import DataSection, OptimSection, Recipe

DATA = Path(__file__).parents[2] / "data"
Pixels = npt.NDArray[Any]
Make = Callable[..., Recipe]


def recipe(root: Path, optim: dict[str, Any] | None = None, seed: int = 3, **data: Any) -> Recipe:
    expected: dict[str, Any] = {"source": "a", "target": "b", "crop": 32, "workers": 0, **data}
    steps = OptimSection(**{"steps": 6, "batch": 2, **(optim or {})})
    return Recipe(name="tiny", seed=seed, data=DataSection(root=root, **expected), optim=steps)


def fill(folder: Path, pictures: list[Pixels]) -> None:
    for i, picture in enumerate(pictures):
        write_picture(folder / f"{i}.png", picture)


def noise(height: int, width: int, count: int = 2) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), np.uint8) for _ in range(count)]


def flat(*greys: int) -> list[Pixels]:
    return [np.full((32, 32, 3), grey, np.uint8) for grey in greys]


def levels(batch: torch.Tensor) -> list[int]:
    """The grey level of each of a batch's flat pictures."""
    return [round((float(picture.mean()) + 1) * 127.5) for picture in batch]


def target(batch: Batch) -> torch.Tensor:
    assert batch.target is not None
    return batch.target


def same(one: Batch, two: Batch) -> bool:
    if one.target is None or two.target is None:
        equal = one.target is two.target
    else:
        equal = torch.equal(one.target, two.target)
    return equal and torch.equal(one.source, two.source) and one.unreadable == two.unreadable


# ---- what an item is ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["unaligned", "aligned", "colorization", "single"])
def test_an_item_is_a_pure_function_of_seed_and_number(mode: str) -> None:
    where = {"source": "photos", "target": "photos" if mode == "aligned" else "paintings"}
    asked: dict[str, Any] = {**where, "mode": mode, "scale": (1.0, 1.5), "jitter": 0.3}
    one, two = (TrainingPictures(recipe(DATA, **asked)) for _ in range(2))
    two.batch(range(9))  # what was asked for before leaves no trace
    for k in (0, 5, 40):
        assert same(one.batch([k]), two.batch([k]))
    assert not torch.equal(one.batch([0]).source, one.batch([1]).source)
    other_seed = TrainingPictures(recipe(DATA, seed=4, **asked))
    assert not torch.equal(one.batch([0]).source, other_seed.batch([0]).source)


def test_a_batch_is_its_items(make_recipe: Make) -> None:
    pictures = TrainingPictures(make_recipe())
    batch = pictures.batch([7, 2])
    assert batch.target is not None
    for crops in (batch.source, batch.target):
        assert crops.shape == (2, 3, 64, 64)
        assert -1 <= crops.min() < crops.max() <= 1
    assert torch.equal(batch.source[1], pictures.batch([2]).source[0])


def test_every_picture_is_seen_once_an_epoch_of_its_own_domain(tmp_path: Path) -> None:
    fill(tmp_path / "a", flat(10, 20, 30, 40, 50))
    fill(tmp_path / "b", flat(60, 70, 80))
    batch = TrainingPictures(recipe(tmp_path)).batch(range(15))
    assert batch.target is not None
    sources, targets = levels(batch.source), levels(batch.target)
    for first in (0, 5, 10):
        assert sorted(sources[first : first + 5]) == [10, 20, 30, 40, 50]
    for first in (0, 3, 6, 9, 12):
        assert sorted(targets[first : first + 3]) == [60, 70, 80]
    assert len({tuple(targets[first : first + 3]) for first in (0, 3, 6, 9, 12)}) > 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([32, 40, 64]),
    st.none() | st.integers(32, 80),
    st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5)),
)
def test_crops_have_the_asked_size_whatever_the_pictures(
    height: int, width: int, crop: int, load_size: int | None, scale: tuple[float, float]
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        fill(root / "a", noise(height, width))
        fill(root / "b", noise(width, height))
        asked = {"crop": crop, "load_size": load_size, "scale": scale, "jitter": 0.5}
        batch = TrainingPictures(recipe(root, **asked)).batch(range(3))
    assert batch.target is not None
    assert batch.source.shape == batch.target.shape == (3, 3, crop, crop)
    assert batch.source.abs().max() <= 1


def slope(tmp_path: Path, count: int = 1, **data: Any) -> list[float]:
    """How much the grey levels of a picture with slope 2 rise from column to column, in crops."""
    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], (128, 1, 3))
    fill(tmp_path / "a", [ramp, ramp])
    asked = recipe(tmp_path, mode="single", flip=False, **data)
    crops = TrainingPictures(asked).batch(range(count)).source * 127.5
    return [float(c[0, :, 4:-4].diff().mean()) for c in crops]


def test_load_size_scales_the_shorter_side(tmp_path: Path) -> None:
    assert slope(tmp_path)[0] == pytest.approx(2, abs=0.1)
    assert slope(tmp_path, load_size=256)[0] == pytest.approx(1, abs=0.1)


def test_scale_is_drawn_on_top_of_load_size(tmp_path: Path) -> None:
    assert slope(tmp_path, load_size=64, scale=(2.0, 2.0))[0] == pytest.approx(2, abs=0.1)
    slopes = slope(tmp_path, 40, load_size=128, scale=(0.5, 1.0))
    assert 1.9 < min(slopes) < 2.3
    assert 3.5 < max(slopes) < 4.2


def test_half_of_the_crops_are_mirrored(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(0, 128, 4, dtype=np.uint8)[None, :, None], (32, 1, 3))
    fill(tmp_path / "a", [ramp, ramp])
    crops = TrainingPictures(recipe(tmp_path, mode="single")).batch(range(60)).source
    mirrored = int((crops[:, 0, 0, 0] > crops[:, 0, 0, -1]).sum())
    assert 18 < mirrored < 42


def test_jitter_varies_the_colours_of_the_source_only(tmp_path: Path) -> None:
    fill(tmp_path / "a", flat(100, 100))
    fill(tmp_path / "b", noise(50, 50))
    plain = TrainingPictures(recipe(tmp_path)).batch(range(40))
    varied = TrainingPictures(recipe(tmp_path, jitter=0.2)).batch(range(40))
    assert torch.equal(target(plain), target(varied))
    seen = levels(varied.source)  # of flat grey pictures only the brightness can change
    assert 80 <= min(seen) < 90
    assert 110 < max(seen) <= 120


# ---- modes --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(20, 70),
    st.integers(20, 70),
    st.none() | st.integers(32, 80),
    st.tuples(st.floats(0.6, 1.4), st.floats(0.6, 1.4)),
    st.sampled_from(["two folders", "side by side", "swapped"]),
)
def test_pairs_are_cut_alike(
    height: int, width: int, load_size: int | None, scale: tuple[float, float], layout: str
) -> None:
    sources = noise(height, width, 3)
    targets = [255 - picture for picture in sources]  # so that one tells where the other was cut
    asked: dict[str, Any] = {"mode": "aligned", "load_size": load_size, "scale": scale}
    with TemporaryDirectory() as folder:
        root = Path(folder)
        if layout == "two folders":
            fill(root / "a", sources)
            fill(root / "b", targets)
        else:
            asked |= {"target": "", "swap": layout == "swapped"}
            halves = [sources, targets] if layout == "side by side" else [targets, sources]
            fill(root / "a", [np.hstack(both) for both in zip(*halves, strict=True)])
        batch = TrainingPictures(recipe(root, jitter=0.5, **asked)).batch(range(4))
    assert batch.target is not None
    assert float((batch.source + batch.target).abs().max()) < 3 / 127.5  # resizing rounds twice


def test_swap_turns_round_which_half_is_the_target(tmp_path: Path) -> None:
    fill(tmp_path / "a", [np.hstack(flat(50, 200))] * 2)
    for swap, source, partner in ((False, 50, 200), (True, 200, 50)):
        asked = recipe(tmp_path, mode="aligned", target="", swap=swap)
        batch = TrainingPictures(asked).batch([0])
        assert (levels(batch.source), levels(target(batch))) == ([source], [partner])
        path = find_pictures(target_folder(asked.data))[0]
        assert load_source(path, asked.data).unique().tolist() == [source]
        assert load_target(path, asked.data).unique().tolist() == [partner]


def test_pairs_go_by_name_whatever_their_suffixes(tmp_path: Path) -> None:
    for i, grey in enumerate((10, 60, 110, 160)):
        write_picture(tmp_path / "a" / f"{i}.png", flat(grey)[0])
        write_picture(tmp_path / "b" / f"{i}.bmp", flat(grey + 40)[0])
    batch = TrainingPictures(recipe(tmp_path, mode="aligned")).batch(range(4))
    pairs = zip(levels(batch.source), levels(target(batch)), strict=True)
    assert sorted(pairs) == [(10, 50), (60, 100), (110, 150), (160, 200)]


def test_colorization_gives_the_grey_version_of_the_target(tmp_path: Path) -> None:
    fill(tmp_path / "a", [*noise(50, 60), *flat(255)])
    asked = recipe(tmp_path, mode="colorization", scale=(0.8, 1.2), jitter=0.5)
    batch = TrainingPictures(asked).batch(range(6))
    assert batch.target is not None
    luma = (batch.target * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    for channel in range(3):
        assert float((batch.source[:, channel] - luma).abs().max()) < 1 / 127.5
    white = tmp_path / "a" / "2.png"
    assert load_source(white, asked.data).unique().tolist() == [255]


def test_a_single_domain_has_no_target(tmp_path: Path) -> None:
    fill(tmp_path / "a", flat(10, 20))
    batch = TrainingPictures(recipe(tmp_path, mode="single")).batch(range(2))
    assert batch.target is None
    assert sorted(levels(batch.source)) == [10, 20]


def test_all_kinds_of_picture_files_are_read(tmp_path: Path) -> None:
    shown = np.repeat(np.array([40, 90, 140, 190], np.uint8), 8)[None].repeat(32, 0)
    grey, turned = Image.fromarray(shown), Image.fromarray(np.rot90(shown))
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter, clockwise
    turned.convert("RGB").save(tmp_path / "a" / "exif.jpg", exif=exif, quality=100)
    grey.save(tmp_path / "a" / "grey.png")
    grey.convert("RGB").quantize(8).save(tmp_path / "a" / "palette.png")
    grey.convert("RGBA").save(tmp_path / "a" / "alpha.png")
    Image.fromarray(shown.astype(np.uint16) * 257).save(tmp_path / "a" / "16bit.png")
    crops = TrainingPictures(recipe(tmp_path, mode="single", flip=False)).batch(range(5)).source
    expected = torch.from_numpy(shown / 127.5 - 1).float()
    assert float((crops - expected).abs().max()) <= 2 / 127.5


# ---- the loader ---------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_starts_where_a_run_stopped(make_recipe: Make, workers: int) -> None:
    asked = make_recipe(data={"workers": workers}, optim={"accumulate": 3})
    state = torch.get_rng_state()
    whole, rest = make_loader(asked, 0), make_loader(asked, 4)
    assert (len(whole), len(rest)) == (18, 6)
    for a, b in zip(list(whole)[12:], rest, strict=True):
        assert same(a, b)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of pictures that are quickly read."""
    root = tmp_path_factory.mktemp("small")
    fill(root / "a", noise(40, 40, 5))
    fill(root / "b", noise(40, 40, 3))
    return root


@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 3),
    accumulate=st.integers(1, 3),
    world=st.integers(1, 3),
    first_step=st.integers(0, 2),
)
def test_processes_see_together_what_one_with_their_batches_would(
    small: Path, batch: int, accumulate: int, world: int, first_step: int
) -> None:
    steps = {"steps": 3, "accumulate": accumulate}
    each = recipe(small, {**steps, "batch": batch})
    alone = recipe(small, {**steps, "batch": batch * world})
    ranks = zip(*(make_loader(each, first_step, rank, world) for rank in range(world)), strict=True)
    for parts, whole in zip(ranks, make_loader(alone, first_step), strict=True):
        assert torch.equal(torch.cat([part.source for part in parts]), whole.source)
        assert torch.equal(torch.cat([part.target for part in parts]), whole.target)


# ---- what goes wrong ----------------------------------------------------------------------------


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere does not exist"):
        find_pictures(tmp_path / "nowhere")
    with pytest.raises(TrainingError, match="holds no pictures"):
        find_pictures(tmp_path)


def test_one_picture_is_too_few(tmp_path: Path) -> None:
    fill(tmp_path / "a", flat(10, 20))
    fill(tmp_path / "b", flat(10))
    with pytest.raises(TrainingError, match=r"b holds one picture; at least 2 are needed"):
        make_loader(recipe(tmp_path), 0)


@pytest.mark.parametrize(
    ("sources", "targets", "odd", "message"),
    [
        (6, 2, "x.png", r"5 pictures .* the first 2\.png, 3\.png, 4\.png;"),  # without partner
        (2, 2, "1.jpg", r"1\.jpg and .*1\.png have the same name"),
    ],
)
def test_pictures_that_make_no_pair_are_named(
    tmp_path: Path, sources: int, targets: int, odd: str, message: str
) -> None:
    fill(tmp_path / "a", flat(*range(sources)))
    fill(tmp_path / "b", flat(*range(targets)))
    write_picture(tmp_path / "b" / odd, flat(1)[0])
    with pytest.raises(TrainingError, match=message):
        TrainingPictures(recipe(tmp_path, mode="aligned"))


def test_pairs_of_different_size_are_named(tmp_path: Path) -> None:
    fill(tmp_path / "a", noise(40, 50))
    fill(tmp_path / "b", noise(50, 40))
    message = r"a/(\d)\.png is 50x40 but .*b/\1\.png is 40x50; .* the same size"
    with pytest.raises(TrainingError, match=message):
        TrainingPictures(recipe(tmp_path, mode="aligned")).batch([0])


def test_side_by_side_needs_an_even_width(tmp_path: Path) -> None:
    fill(tmp_path / "a", noise(40, 51))
    with pytest.raises(TrainingError, match=r"a/\d\.png is 51 pixels wide; .* even width"):
        TrainingPictures(recipe(tmp_path, mode="aligned", target="")).batch([0])


@pytest.mark.parametrize("damage", [b"", b"no picture", b"\x89PNG\r\n\x1a\n\0\0"])
def test_the_next_picture_takes_a_corrupt_ones_place(tmp_path: Path, damage: bytes) -> None:
    fill(tmp_path / "a", flat(10, 20, 30, 40))
    fill(tmp_path / "b", flat(60, 70, 80))
    whole = TrainingPictures(recipe(tmp_path)).batch(range(12))
    (tmp_path / "a" / "1.png").write_bytes(damage)
    asked = recipe(tmp_path, {"batch": 4, "steps": 3}, workers=1)
    left = TrainingPictures(asked).batch(range(12))
    assert torch.equal(target(left), target(whole))
    assert left.unreadable == (str(tmp_path / "a" / "1.png"),) * 3  # once an epoch
    for first in (0, 4, 8):
        epoch = levels(whole.source[first : first + 4])
        at = epoch.index(20)
        expected = [*epoch[:at], epoch[(at + 1) % 4], *epoch[at + 1 :]]
        assert levels(left.source[first : first + 4]) == expected
    loaded = list(make_loader(asked, 0))
    assert [len(batch.unreadable) for batch in loaded] == [1, 1, 1]
    assert torch.equal(torch.cat([batch.source for batch in loaded]), left.source)


def test_a_pair_is_passed_over_if_either_half_is_corrupt(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        fill(tmp_path / folder, flat(10, 20, 30, 40))
    (tmp_path / "a" / "1.png").write_bytes(b"")
    (tmp_path / "b" / "2.png").write_bytes(b"")
    pictures = TrainingPictures(recipe(tmp_path, mode="aligned"))
    batch = pictures.batch(range(8))
    assert levels(batch.source) == levels(target(batch))
    assert set(levels(batch.source)) == {10, 40}
    assert {Path(name).relative_to(tmp_path).as_posix() for name in batch.unreadable} == {
        "a/1.png",
        "b/2.png",
    }
    assert pictures.total == 8


@pytest.mark.parametrize("workers", [0, 1])
def test_a_domain_without_a_readable_picture_is_one_clear_error(
    tmp_path: Path, workers: int
) -> None:
    fill(tmp_path / "a", flat(10, 20))
    fill(tmp_path / "b", flat(10, 20, 30))
    for path in find_pictures(tmp_path / "b"):
        path.write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"^none of the 3 .*b can be read") as caught:
        list(make_loader(recipe(tmp_path, workers=workers), 0))
    assert "\n" not in str(caught.value)


def test_the_tally_names_each_file_once_and_stops_when_they_are_too_many() -> None:
    tally = CorruptTally(total=100, max_share=0.03)
    assert tally.add([]) == []
    assert tally.add(("a", "b", "a")) == ["a", "b"]
    assert tally.add(("b", "c")) == ["c"]
    message = r"^4 of 100 pictures .* data\.max_corrupt = 0\.03 allows: a, b, c, \.\.\.; repair"
    with pytest.raises(TrainingError, match=message):
        tally.add(["d"])
    with pytest.raises(TrainingError, match=r"^1 of 9 pictures"):
        CorruptTally(total=9, max_share=0).add(["a"])


def test_targets_may_be_enlarged_by_another_factor(make_recipe: Make) -> None:
    plain = TrainingPictures(make_recipe(data={"flip": False})).batch(range(1))
    scaled = TrainingPictures(make_recipe(data={"flip": False, "target_scale": (2.0, 2.0)}))
    enlarged = scaled.batch(range(1))
    assert torch.equal(plain.source, enlarged.source)
    assert plain.target is not None
    assert enlarged.target is not None

    def roughness(x: torch.Tensor) -> float:  # neighbours differ less in an enlarged picture
        return float((x[..., 1:] - x[..., :-1]).abs().mean())

    assert roughness(enlarged.target) < 0.8 * roughness(plain.target)


def test_pairs_cannot_be_torn_apart(make_recipe: Make) -> None:
    data = {"mode": "aligned", "target": "", "target_scale": (2.0, 2.0)}
    with pytest.raises(TrainingError, match=r"data\.target_scale would tear pairs apart"):
        make_recipe(data=data)
