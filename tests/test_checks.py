"""Files of models are refused by us, before a library that would crash opens them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from pleinair.bundle.bundle import Bundle, bytes_of, sha256_of
from pleinair.bundle.resolve import SHIPPED
from pleinair.checks import check_artifact, check_onnx
from pleinair.checks.flatbuffer import root
from pleinair.checks.protobuf import fields, integers
from pleinair.errors import BundleError, PleinairError
from pleinair.reading import Malformed


def frames_in_and_out(nodes, constants=()) -> onnx.ModelProto:
    shape = [1, "h", "w", 3]
    ends = [helper.make_tensor_value_info(n, TensorProto.UINT8, shape) for n in ("x", "y")]
    tensors = [numpy_helper.from_array(value, name) for name, value in constants]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


def sized(kind: str, *inputs: str, values: object) -> onnx.ModelProto:
    """A graph of one operator, whose size a constant says."""
    numbers = np.array(values)
    kept = numbers.astype(np.float32 if numbers.dtype == np.float64 else np.int64)
    return frames_in_and_out([node(kind, *inputs)], [("s", kept)])


def node(kind: str, *inputs: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(kind, inputs or ["x"], ["y"], **attributes)


def replaced(bundle: Path, data: bytes) -> Bundle:
    """The bundle with another INT8 graph, whose hash is right."""
    (bundle / "int8.onnx").write_bytes(data)
    values = json.loads((bundle / "manifest.json").read_text())
    for artifact in values["artifacts"]:
        if artifact["path"] == "int8.onnx":
            artifact |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (bundle / "manifest.json").write_text(json.dumps(values))
    return Bundle.open(bundle)


@pytest.mark.parametrize("name", sorted(path.name for path in SHIPPED.iterdir()))
def test_all_that_is_shipped_passes(name):
    bundle = Bundle.open(name)
    for artifact in bundle.manifest.artifacts:
        check_artifact(bundle.path(artifact))


def gathering(
    kind: str, index: int, dtype: type = np.int32, listed: bool = False
) -> onnx.ModelProto:
    """A graph that gathers seven numbers by some constant indices, one of which is given."""
    constants = [("v", np.zeros(7, np.float32)), ("i", np.array([0, index, 3], dtype))]
    model = frames_in_and_out([node(kind, "v", "i", axis=0)], constants)
    if listed:
        tensor = model.graph.initializer[1]
        tensor.ClearField("raw_data")
        tensor.int32_data.extend([0, index, 3])
    return model


@pytest.mark.parametrize("listed", [True, False])
def test_indices_point_into_what_is_gathered(listed, tmp_path):
    path = tmp_path / "model.onnx"
    for index in (-7, 6):
        onnx.save(gathering("Gather", index, listed=listed), path)
        check_onnx(path)
    for index in (-8, 7):
        onnx.save(gathering("Gather", index, listed=listed), path)
        with pytest.raises(Malformed, match=f"index {index} into 7 values"):
            check_onnx(path)


@pytest.mark.parametrize("elements", [True, False])
def test_indices_of_an_ir_point_into_what_is_gathered(elements, tmp_path):
    ov = pytest.importorskip("openvino")
    ops = ov.opset8
    taken = ops.parameter([3, 7], np.float32)
    for index, is_fine in ((-7, True), (6, True), (-8, False), (7, False), (10**8, False)):
        indices = ops.constant(np.array([[0, index]] * 3 if elements else [0, index], np.int32))
        axis = ops.constant(np.array(1, np.int64))
        made = (
            ops.gather_elements(taken, indices, 1) if elements else ops.gather(taken, indices, axis)
        )
        ov.save_model(ov.Model([made], [taken]), tmp_path / "model.xml")
        if is_fine:
            check_artifact(tmp_path / "model.xml")
        else:
            with pytest.raises(Malformed, match=f"index {index} into 7 values"):
                check_artifact(tmp_path / "model.xml")


WEIGHTS = ("w", np.zeros((4, 3, 3, 3), np.float32))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (frames_in_and_out([node("DepthToSpace", blocksize=0)]), "blocksize is 0"),
        (frames_in_and_out([node("SpaceToDepth", blocksize=-2)]), "blocksize is -2"),
        (frames_in_and_out([node("Conv", "x", "w", group=0)], [WEIGHTS]), "group is 0"),
        (frames_in_and_out([node("Conv", "x", "w", group=3)], [WEIGHTS]), "4 channels in 3"),
        (frames_in_and_out([node("Conv", "x", "w", strides=[0, 1])], [WEIGHTS]), "strides is 0"),
        (frames_in_and_out([node("Conv", "x", "w", dilations=[0, 0])], [WEIGHTS]), "dilations is"),
        (
            frames_in_and_out([node("Conv", "x", "w", kernel_shape=[5, 5])], [WEIGHTS]),
            "weights have the shape",
        ),
        (frames_in_and_out([node("MaxPool", kernel_shape=[0, 0])]), "kernel_shape is 0"),
        (frames_in_and_out([node("AveragePool", kernel_shape=[2**40, 2])]), "kernel_shape is"),
        (frames_in_and_out([node("Split", num_outputs=0)]), "num_outputs is 0"),
        (frames_in_and_out([node("Transpose", perm=[0, 99])]), "perm is 99"),
        (frames_in_and_out([node("Concat", axis=2**31)]), "axis is"),
        (gathering("Gather", 7), "index 7 into 7 values"),
        (gathering("GatherElements", -8), "index -8 into 7 values"),
        (gathering("GatherElements", 9, np.int64), "index 9 into 7 values"),
        (frames_in_and_out([node("Loop")]), "operator 'Loop'"),
        (frames_in_and_out([node("Evil", domain="my.own")]), "operator 'Evil'"),
        (frames_in_and_out([node("RandomUniform")]), "operator 'RandomUniform'"),
        (
            frames_in_and_out([node("Reshape", "x", "s")], [("s", np.array([1, 2**40], np.int64))]),
            "a size of more than",
        ),
        (
            frames_in_and_out([node("Tile", "x", "s")], [("s", np.array([2**33] * 4, np.int64))]),
            "a size of more than",
        ),
        (sized("ConstantOfShape", "s", values=[2**17, 2**17]), "more than 268435456 together"),
        (sized("Expand", "x", "s", values=[1, 2**15, 2**15, 3]), "more than 268435456 together"),
        (sized("Tile", "x", "s", values=[1, 100, 100, 1]), "more than 4096 together"),
        (sized("Resize", "x", "", "s", values=[1.0, 500.0, 500.0, 1.0]), "more than 4096 together"),
        (sized("Resize", "x", "", "s", values=[1.0, float("nan"), 1.0, 1.0]), "a size of more"),
        (sized("Range", "s", "s", "s", values=4e9), "a size of more than"),
        (sized("Pad", "x", "s", values=[0, 9999, 0, 0] * 2), "more than 4096 pixels"),
    ],
)
def test_what_crashes_libraries_is_refused_with_the_reason(bundle, model, message):
    opened = replaced(bundle, model.SerializeToString())
    with pytest.raises(BundleError, match=message) as refused:
        opened.path(opened.find("onnx", "int8"))
    assert "int8.onnx is not loaded" in str(refused.value)
    assert str(refused.value).endswith("export or download the bundle again")


def tampered(change) -> bytes:
    model = frames_in_and_out([node("Conv", "x", "w")], [WEIGHTS])
    change(model.graph.initializer[0])
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.dims.__setitem__(0, 2**40), "dimension of"),
        (lambda t: t.dims.__setitem__(0, -1), "dimension of -1"),
        (lambda t: t.dims.__setitem__(0, 400), "which 432 bytes are not"),
        (lambda t: t.dims.extend([1] * 9), "dimensions"),
        (lambda t: setattr(t, "data_type", 99), "elements of kind 99"),
        (lambda t: t.ClearField("raw_data"), "less data"),
    ],
)
def test_tensors_are_what_their_data_is(tmp_path, change, message):
    path = tmp_path / "m.onnx"
    path.write_bytes(tampered(change))
    with pytest.raises(Malformed, match=message):
        check_onnx(path)


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "a/../../secret.bin", "secret.bin", "link.bin", ""]
)
def test_data_of_other_files_is_refused(bundle, tmp_path, location):
    secret = np.zeros((4, 3, 3, 3), np.float32).tobytes()
    for path in (tmp_path / "secret.bin", bundle / "secret.bin"):
        path.write_bytes(secret)
    (bundle / "link.bin").symlink_to(tmp_path / "secret.bin")

    def outside(tensor: onnx.TensorProto) -> None:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    opened = replaced(bundle, tampered(outside))
    with pytest.raises(BundleError, match="data in another file"):
        opened.path(opened.find("onnx", "int8"))


def test_data_in_an_artifacts_own_folder_is_hashed_with_it(bundle, tmp_path):
    folder = bundle / "int8.trt"
    folder.mkdir()

    def beside(tensor: onnx.TensorProto) -> None:
        (folder / "w.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")

    (folder / "model.onnx").write_bytes(tampered(beside))
    check_artifact(folder)
    (folder / "w.bin").rename(tmp_path / "w.bin")
    (folder / "w.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(Malformed, match="is a link"):
        check_artifact(folder)
    (folder / "w.bin").unlink()
    (folder / "w.bin").write_bytes(b"short")
    with pytest.raises(Malformed, match="which 5 bytes are not"):
        check_artifact(folder)


def test_links_within_a_bundle_are_no_way_around_the_hash(bundle, edit):
    folder = bundle / "x.openvino"
    folder.mkdir()
    (folder / "model.xml").write_text("<net/>")
    (folder / "sub").symlink_to(bundle)
    row = {"path": folder.name, "sha256": sha256_of(folder), "bytes": bytes_of(folder)}
    edit(bundle, lambda m: m["artifacts"][0].update(row))
    opened = Bundle.open(bundle)
    with pytest.raises(BundleError, match="holds links"):
        opened.path(opened.manifest.artifacts[0])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('offset="0"', 'offset="999999999"', "beyond the end of the weights"),
        ("<?xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><?xml", "XML entities"),
        ("</net>", "", "no XML"),
        ('type="Const"', 'type="Loop"', "layer 'Loop'"),
        ('version="opset1"', 'version="extension"', "of 'extension'"),
        ('strides="1, 1"', 'strides="0, 1"', "strides is 0"),
        ("<dim>3</dim>", "<dim>99999999999</dim>", "dimension of"),
    ],
)
def test_an_ir_that_is_out_of_bounds(tmp_path, old, new, message):
    folder = tmp_path / "x.openvino"
    shutil.copytree(SHIPPED / "monet-conv" / "int8.openvino", folder)
    check_artifact(folder)
    text = (folder / "model.xml").read_text()
    assert old in text
    (folder / "model.xml").write_text(text.replace(old, new, 1))
    with pytest.raises(Malformed, match=message):
        check_artifact(folder)


NCNN = """7767517
3 3
Input in0 0 1 in0
Convolution c 1 1 in0 1 0=3 1=3 11=3 5=1 6=81
ReLU r 1 1 1 out0
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("7767517", "7767518", "not a network of ncnn"),
        ("3 3", "2 3", "says that it has 2 layers"),
        ("3 3", "3 9", "says that it has 9 blobs"),
        ("c 1 1 in0", "c 99 1 in0", "takes 99 blobs"),
        ("ReLU r 1 1 1", "ReLU r 1 1 7", "takes 7, which no layer"),
        ("6=81", "6=2000000000", "the parameter"),
        ("11=3", "11=;rm", "the parameter"),
    ],
)
def test_a_network_of_ncnn_that_is_out_of_bounds(tmp_path, old, new, message):
    (tmp_path / "model.ncnn.bin").touch()
    path = tmp_path / "model.ncnn.param"
    path.write_text(NCNN)
    check_artifact(tmp_path)
    path.write_text(NCNN.replace(old, new, 1))
    with pytest.raises(Malformed, match=message):
        check_artifact(tmp_path)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    for suffix in (".xml", ".param", ".tflite", ".pte", ".mlmodel", ".onnx"):
        path = folder / f"model{suffix}"
        path.write_bytes(data)
        with pytest.raises(Malformed):
            check_artifact(path)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipped_and_cut_graphs_raise_nothing_else(tmp_path, data):
    whole = bytearray((SHIPPED / "monet-conv" / "int8.onnx").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 20_000))] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "m.onnx"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        check_artifact(path)
    except Malformed as error:
        assert str(error)


def test_nested_graphs_end(tmp_path):
    def inside(number: int, data: bytes) -> bytes:
        length, head = len(data), bytearray([number << 3 | 2])
        while length > 127:
            head.append(length & 127 | 128)
            length >>= 7
        return bytes([*head, length]) + data

    graph = b""
    for _ in range(60):  # a graph in an attribute of a node
        graph = inside(1, inside(4, b"If") + inside(5, inside(6, graph)))
    path = tmp_path / "m.onnx"
    path.write_bytes(inside(7, graph))
    for strict in (True, False):
        with pytest.raises(Malformed):
            check_onnx(path, strict=strict)


def test_an_ir_hides_no_entities_in_another_encoding(tmp_path):
    folder = tmp_path / "x.openvino"
    shutil.copytree(SHIPPED / "monet-conv" / "int8.openvino", folder)
    text = (folder / "model.xml").read_text().partition("?>")[2]
    (folder / "model.xml").write_bytes(f"<!DOCTYPE net [<!ENTITY b 'c'>]>{text}".encode("utf-16"))
    with pytest.raises(Malformed, match="no UTF-8"):
        check_artifact(folder)


def test_a_kind_that_is_no_number(tmp_path):
    """A number may come as a list, and the list may be empty."""
    model = b"\x12\x00"  # field 2, of no bytes
    for field in (5, 7):  # a graph's tensor, a model's graph
        model = bytes([field << 3 | 2, len(model)]) + model
    (tmp_path / "m.onnx").write_bytes(model)
    with pytest.raises(Malformed, match="elements of kind 0"):
        check_onnx(tmp_path / "m.onnx")


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40))
def test_many_packed_numbers_are_read_like_few(numbers):
    """Long lists are not read in a loop."""
    attribute = onnx.AttributeProto(name="a", type=onnx.AttributeProto.INTS, ints=numbers * 500)
    tensor = onnx.TensorProto(int64_data=numbers * 500)
    for message, number in ((attribute, 8), (tensor, 7)):
        found = []
        for key, value in fields(memoryview(message.SerializeToString())):
            found += integers(value) if key == number else []
        assert found == numbers * 500
    for broken in (b"\x80" * 5000, b"\x01" * 5000 + b"\x80", b"\x80" * 11 + b"\x01" * 5000):
        with pytest.raises(Malformed):
            integers(memoryview(broken))


def shared_tflite(graphs: int, tensors: int) -> bytes:
    """A TFLite file whose graphs are all the same one, and its tensors too."""
    data = bytearray(struct.pack("<I4s", 22, b"TFL3"))

    def put(form: str, *values: int) -> int:
        data.extend(struct.pack(f"<{form}", *values))
        return len(data) - struct.calcsize(f"<{form}")

    def vector(place: int, count: int) -> int:
        """Has a field be a vector of offsets to what follows."""
        begin = put("I", count)
        struct.pack_into("<I", data, place, begin - place)
        end = begin + 4 + 4 * count
        put(f"{count}I", *(end + 4 - at for at in range(begin + 4, end, 4)))
        return put("2H", 4, 4)  # of a table without fields, which follows

    put("7H", 14, 12, 0, 0, 4, 0, 8)  # fields 2 and 4: graphs and buffers
    model = put("iII", 14, 0, 0)
    vector(model + 8, 1)
    put("i", 4)
    begin = put("I", graphs)
    struct.pack_into("<I", data, model + 4, begin - model - 4)
    end = begin + 4 + 4 * graphs
    put(f"{graphs}I", *(end + 6 - at for at in range(begin + 4, end, 4)))
    put("3H", 6, 8, 4)
    graph = put("iI", 6, 0)
    vector(graph + 4, tensors)
    put("i", 4)
    return bytes(data)


def test_vectors_that_many_tables_share_are_not_looked_at_for_days(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(shared_tflite(2, 3))
    check_artifact(path)
    path.write_bytes(shared_tflite(20_000, 20_000))
    with pytest.raises(Malformed, match="refers to more than it holds"):
        check_artifact(path)


def test_readers_of_bytes():
    assert list(fields(memoryview(b"\x08\x96\x01\x12\x02hi"))) == [(1, 150), (2, b"hi")]
    with pytest.raises(Malformed):
        root(memoryview(b"\0\0\0\0TFL3"), b"ET12")


@pytest.mark.parametrize("multiple", [3000, 2**40, 0, -8])
def test_a_manifest_is_within_bounds(bundle, edit, multiple):
    edit(bundle, lambda m: m["frame"].update(multiple_of=multiple))
    with pytest.raises(BundleError, match=r"field frame\.multiple_of"):
        Bundle.open(bundle)


def test_a_zip_that_unpacks_without_end(bundle, tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(bundle / "manifest.json", "manifest.json")
        archive.writestr("zeros", bytes(100 * 2**20))
    assert path.stat().st_size < 200_000
    with pytest.raises(BundleError, match="would unpack to 2 files"):
        Bundle.open(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("at", [0.3, 0.6, 0.9])
def test_a_damaged_zip_of_any_kind(bundle, tmp_path, method, at):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in ("manifest.json", "int8.onnx"):
            archive.write(bundle / name, name)
    data = bytearray(path.read_bytes())
    for i in range(40):
        data[int(len(data) * at) + i] ^= 0x5A
    path.write_bytes(data)
    try:
        Bundle.open(path)
    except BundleError as error:
        assert "b.zip" in str(error)


@pytest.mark.parametrize("at", [4, 6, 8, 10, 20, 24, 28, 30, 34, 42])
def test_a_zip_whose_directory_says_anything(bundle, tmp_path, at):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("manifest.json", "int8.onnx"):
            archive.write(bundle / name, name)
    data = bytearray(path.read_bytes())
    begin = data.index(b"PK\x01\x02") + at
    data[begin : begin + 2] = b"\xff\xff"
    path.write_bytes(data)
    with contextlib.suppress(PleinairError):
        Bundle.open(path)
