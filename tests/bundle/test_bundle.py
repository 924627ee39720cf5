from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pleinair.bundle.bundle import Bundle, bytes_of, check_out, write_bundle
from pleinair.bundle.manifest import InsidePath
from pleinair.bundle.resolve import shipped_models
from pleinair.errors import BundleError, PleinairError, UsageError
from pleinair.owners import Owner
from pydantic import TypeAdapter, ValidationError


def zipped(folder: Path, to: Path, top: str = "") -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.rglob("*"):
            archive.write(path, f"{top}{path.relative_to(folder)}")
    return to


def test_shipped_models_open_by_name_and_are_whole():
    assert "monet-conv" in shipped_models()
    for name in shipped_models():
        opened = Bundle.open(name)
        assert opened.manifest.name == name
        for artifact in opened.manifest.artifacts:
            assert bytes_of(opened.path(artifact)) == artifact.bytes


def test_a_folder_that_is_no_bundle_does_not_hide_a_shipped_model(tmp_path, monkeypatch, bundle):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "monet-conv").mkdir()
    assert Bundle.open("monet-conv").root != Path("monet-conv")
    (tmp_path / "monet-conv").rmdir()
    bundle.rename(tmp_path / "monet-conv")
    assert Bundle.open("monet-conv").root == Path("monet-conv")


@pytest.mark.parametrize("top", ["", "some-folder/"])
def test_a_zip_is_a_bundle_too(tmp_path, bundle, top):
    opened = Bundle.open(zipped(bundle, tmp_path / "b.zip", top))
    assert opened.manifest == Bundle.open(bundle).manifest
    artifact = opened.find("onnx", "int8")
    unpacked = opened.path(artifact)
    assert unpacked.read_bytes() == (bundle / artifact.path).read_bytes()
    del opened
    assert not unpacked.exists()  # nothing stays behind


def test_find_what_is_not_there(bundle):
    assert Bundle.open(bundle).find("coreml", "fp16") is None


def test_unknown_names_offer_the_nearest(tmp_path):
    with pytest.raises(UsageError, match="unknown model or path 'mone'; did you mean 'monet'"):
        Bundle.open("mone")
    with pytest.raises(UsageError, match=r"unknown model or path .*nowhere'; known: monet"):
        Bundle.open(tmp_path / "nowhere")


def test_a_changed_artifact_is_not_loaded(bundle):
    opened = Bundle.open(bundle)
    artifact = opened.manifest.artifacts[0]
    path = bundle / artifact.path
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match=rf"{artifact.path} does not have the sha256"):
        opened.path(artifact)


def test_a_missing_artifact_is_named(bundle):
    opened = Bundle.open(bundle)
    artifact = opened.manifest.artifacts[0]
    (bundle / artifact.path).unlink()
    with pytest.raises(BundleError, match=rf"{artifact.path} is missing"):
        opened.path(artifact)


def test_a_link_out_of_the_bundle_is_refused(bundle, tmp_path):
    opened = Bundle.open(bundle)
    artifact = opened.manifest.artifacts[0]
    inside = bundle / artifact.path
    inside.rename(tmp_path / "outside.onnx")
    inside.symlink_to(tmp_path / "outside.onnx")
    with pytest.raises(BundleError, match="links out of the bundle"):
        opened.path(artifact)


def test_a_folder_that_links_out_is_refused(bundle, tmp_path, edit):
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(bundle / "int8.onnx", tmp_path / "elsewhere" / "int8.onnx")
    (bundle / "sub").symlink_to(tmp_path / "elsewhere")
    edit(bundle, lambda m: m["artifacts"][0].update(path="sub/int8.onnx"))
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match="links out of the bundle"):
        opened.path(opened.manifest.artifacts[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(schema_version=3), "schema_version is 3, this pleinair reads 1 and 2"),
        (lambda m: m.pop("schema_version"), "schema_version is None"),
        (lambda m: m.pop("title"), "field title: Field required"),
        (lambda m: m.update(colour="red"), "field colour"),
        (lambda m: m["generator"].update(width="wide"), "field generator.width"),
        (lambda m: m.update(artifacts=[]), "field artifacts"),
        (lambda m: m.update(name="../monet"), "field name"),
        (lambda m: m["frame"].update(color="BGR"), "field frame.color"),
        (lambda m: m["artifacts"][1].update(sha256="abc"), "field artifacts.1.sha256"),
        (lambda m: m["artifacts"][0].update(path="../x.onnx"), "field artifacts.0.path"),
        (
            lambda m: m["artifacts"][0].update(path="/etc/passwd"),
            "artifacts.0.path: the path must stay inside the bundle; export",
        ),
        (lambda m: m["artifacts"][0].update(path="C:\\x.onnx"), "must stay inside the bundle"),
        (lambda m: m["artifacts"][0]["drift"].pop("ssim"), "field artifacts.0.drift.ssim"),
    ],
)
def test_a_bad_manifest_names_file_and_field(bundle, edit, change, message):
    edit(bundle, change)
    with pytest.raises(BundleError) as caught:
        Bundle.open(bundle)
    assert message in str(caught.value)
    assert str(bundle) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_score_of_an_old_name_has_the_new_one(bundle, edit):
    edit(bundle, lambda m: m["training"].update(scores={"kid": 0.1, "lattice": 1.2}))
    assert Bundle.open(bundle).manifest.training.scores == {"kid": 0.1, "checkerboard": 1.2}


@pytest.mark.parametrize("text", [b"{", b"", b"\xff\xfe", b"[]", b"3", b"[" * 100_000])
def test_a_manifest_that_is_no_json_object(bundle, text):
    (bundle / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Bundle.open(bundle)


def test_a_folder_without_a_manifest(tmp_path):
    with pytest.raises(BundleError, match=r"not a bundle: it has no manifest\.json"):
        Bundle.open(tmp_path)


def test_a_file_that_is_no_zip(tmp_path):
    (tmp_path / "x.zip").write_text("hello")
    with pytest.raises(BundleError, match="neither a folder nor a complete zip"):
        Bundle.open(tmp_path / "x.zip")


def test_a_zip_without_a_manifest(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"x\.zip is not a bundle"):
        Bundle.open(zipped(tmp_path / "empty", tmp_path / "x.zip"))


@pytest.mark.parametrize("member", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_a_zip_member_that_leaves_the_bundle(tmp_path, bundle, member):
    path = zipped(bundle, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, "x")
    with pytest.raises(BundleError, match="must stay inside"):
        Bundle.open(path)
    assert not (tmp_path / "evil").exists()


def test_damaged_zips_are_bundle_errors(tmp_path, bundle):
    data = zipped(bundle, tmp_path / "good.zip").read_bytes()
    path = tmp_path / "bad.zip"
    for at in range(60, len(data), len(data) // 15):
        path.write_bytes(data[:at] + bytes(20) + data[at + 20 :])
        try:
            opened = Bundle.open(path)
            for artifact in opened.manifest.artifacts:
                opened.path(artifact)
        except PleinairError as error:
            assert "bad.zip" in str(error)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=r"bad\.zip"):
        Bundle.open(path)


def test_a_thousand_folders_in_each_other(tmp_path, bundle, monkeypatch):
    path = zipped(bundle, tmp_path / "x.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/" * 900 + "x", "x")
    with pytest.raises(BundleError, match=r"x\.zip: .* has more than 64 parts"):
        Bundle.open(path)
    opened = Bundle.open(bundle)
    artifact = opened.manifest.artifacts[0]
    file = bundle / artifact.path
    file.unlink()
    file.mkdir()
    monkeypatch.chdir(file)
    for _ in range(1100):
        Path("d").mkdir()
        os.chdir("d")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError, match="cannot be read: maximum recursion"):
        opened.path(artifact)
    subprocess.run(["rm", "-r", str(file)], check=False)  # pytest could not


def test_a_zip_that_there_is_no_room_for_is_not_called_damaged(tmp_path, bundle, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", full)
    with pytest.raises(BundleError, match=r"x\.zip cannot be unpacked into .*: No space left"):
        Bundle.open(zipped(bundle, tmp_path / "x.zip"))


def test_messages_about_a_zip_name_the_zip(tmp_path, bundle):
    (bundle / "int8.onnx").unlink()
    opened = Bundle.open(zipped(bundle, tmp_path / "x.zip"))
    with pytest.raises(BundleError, match=r"x\.zip: artifact int8\.onnx is missing"):
        opened.path(opened.find("onnx", "int8"))


@given(st.lists(st.sampled_from(["..", ".", "a", "b.onnx", "", "\\", "C:", "/", "é"]), max_size=6))
def test_paths_in_a_manifest_stay_inside(parts):
    path = "/".join(parts)
    try:
        accepted = TypeAdapter(InsidePath).validate_python(path)
    except ValidationError:
        return
    root = PurePosixPath("/root/bundle")
    walked: list[str] = []
    for part in (root / accepted).parts:
        walked.pop() if part == ".." else walked.append(part)
    assert PurePosixPath(*walked).is_relative_to(root)
    assert accepted and "\\" not in accepted


def test_write_bundle_replaces_only_when_told(tmp_path, bundle):
    manifest = Bundle.open(bundle).manifest
    out = tmp_path / "out"

    def staged() -> Path:
        folder = Path(shutil.copytree(bundle, tmp_path / "staged"))
        (folder / "manifest.json").unlink()
        return folder

    write_bundle(manifest, staged(), out)
    assert Bundle.open(out).manifest == manifest
    assert (
        json.loads((out / "manifest.json").read_text())["schema_version"] == manifest.schema_version
    )
    with pytest.raises(BundleError, match="--overwrite"):
        write_bundle(manifest, staged(), out)
    shutil.rmtree(tmp_path / "staged")
    (out / "extra").touch()
    write_bundle(manifest, staged(), out, overwrite=True)
    assert not (out / "extra").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "out"]


def test_the_lock_of_a_killed_process_goes_where_its_bundle_is_complete(bundle):
    lock = bundle.with_name(f".{bundle.name}.lock")
    lock.touch()
    with pytest.raises(UsageError, match="exists"):
        check_out(bundle, overwrite=False)
    assert not lock.exists()
    with Owner(bundle):
        with pytest.raises(UsageError, match="exists"):
            check_out(bundle, overwrite=False)
        assert lock.exists()  # it is held


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
@pytest.mark.parametrize("name", ["", "manifest.json", "int8.onnx"])
def test_a_pipe_is_not_waited_for(bundle, name):
    pipe = bundle / name if name else bundle.with_name("model.onnx")
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with pytest.raises(PleinairError, match="pipe"):
        opened = Bundle.open(bundle if name else pipe)
        opened.path(opened.find("onnx", "int8"))
