"""The state dicts are made, and painted with, by hand: nothing of pleinair's networks is used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from pleinair.errors import PleinairError, TrainingError, UsageError
from pleinair.networks.foreign import import_checkpoint
from pleinair.networks.load import load_generator
from torch import Tensor

State = dict[str, Tensor]


class Net:
    """Makes random layers as the reference project names them, and runs them."""

    def __init__(self, norm: str) -> None:
        self.norm, self.state = norm, State()

    def make_conv(self, key: str, shape: tuple[int, ...], out: int, bias: bool = False) -> None:
        self.state[f"{key}.weight"] = torch.randn(shape) / (shape[1] * shape[2] ** 2) ** 0.5
        if bias or self.norm == "instance":
            self.state[f"{key}.bias"] = torch.randn(out) / 10

    def make_norm(self, key: str, channels: int) -> None:
        if self.norm == "batch":
            self.state[f"{key}.weight"] = 0.5 + torch.rand(channels)
            self.state[f"{key}.bias"] = torch.randn(channels) / 10
            self.state[f"{key}.running_mean"] = torch.randn(channels) / 10
            self.state[f"{key}.running_var"] = 0.5 + torch.rand(channels)
            self.state[f"{key}.num_batches_tracked"] = torch.tensor(7)

    def conv(self, key: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        s = self.state
        return F.conv2d(x, s[f"{key}.weight"], s.get(f"{key}.bias"), stride, padding)

    def up(self, key: str, x: Tensor, output_padding: int = 0) -> Tensor:
        s = self.state
        weight, bias = s[f"{key}.weight"], s.get(f"{key}.bias")
        return F.conv_transpose2d(x, weight, bias, 2, 1, output_padding)

    def normed(self, key: str, x: Tensor) -> Tensor:
        s = self.state
        if self.norm == "batch":
            mean, var = s[f"{key}.running_mean"], s[f"{key}.running_var"]
            return F.batch_norm(x, mean, var, s[f"{key}.weight"], s[f"{key}.bias"])
        return F.instance_norm(x) if self.norm == "instance" else x


class Resnet(Net):
    def __init__(
        self, blocks: int, norm: str, dropout: bool = False, ngf: int = 4, takes: int = 3
    ) -> None:
        super().__init__(norm)
        self.blocks, self.second = blocks, 6 if dropout else 5
        for key, n, m, side in ((1, ngf, takes, 7), (4, 2 * ngf, ngf, 3), (7, 4 * ngf, 2 * ngf, 3)):
            self.make_conv(f"model.{key}", (n, m, side, side), n)
            self.make_norm(f"model.{key + 1}", n)
        for i in range(10, 10 + blocks):
            for place in (1, self.second):
                key = f"model.{i}.conv_block"
                self.make_conv(f"{key}.{place}", (4 * ngf, 4 * ngf, 3, 3), 4 * ngf)
                self.make_norm(f"{key}.{place + 1}", 4 * ngf)
        for i, n in ((10 + blocks, 4 * ngf), (13 + blocks, 2 * ngf)):
            self.make_conv(f"model.{i}", (n, n // 2, 3, 3), n // 2)
            self.make_norm(f"model.{i + 1}", n // 2)
        self.make_conv(f"model.{17 + blocks}", (3, ngf, 7, 7), 3, bias=True)

    def paint(self, x: Tensor) -> Tensor:
        x = F.relu(self.normed("model.2", self.conv("model.1", mirrored(x, 3))))
        x = F.relu(self.normed("model.5", self.conv("model.4", x, 2, 1)))
        x = F.relu(self.normed("model.8", self.conv("model.7", x, 2, 1)))
        for i in range(10, 10 + self.blocks):
            key, k = f"model.{i}.conv_block", self.second
            h = F.relu(self.normed(f"{key}.2", self.conv(f"{key}.1", mirrored(x, 1))))
            x = x + self.normed(f"{key}.{k + 1}", self.conv(f"{key}.{k}", mirrored(h, 1)))
        for i in (10 + self.blocks, 13 + self.blocks):
            x = F.relu(self.normed(f"model.{i + 1}", self.up(f"model.{i}", x, 1)))
        return torch.tanh(self.conv(f"model.{17 + self.blocks}", mirrored(x, 3)))


class Unet(Net):
    def __init__(self, levels: int, norm: str, ngf: int = 2) -> None:
        super().__init__(norm)
        self.levels = levels
        self.make_conv("model.model.0", (ngf, 3, 4, 4), ngf)
        for level in range(2, levels + 1):
            key = self.key(level)
            outer, inner = (ngf * min(8, 2**n) for n in (level - 2, level - 1))
            deepest = level == levels
            self.make_conv(f"{key}.1", (inner, outer, 4, 4), inner)
            if not deepest:
                self.make_norm(f"{key}.2", inner)
            up = 3 if deepest else 5
            self.make_conv(f"{key}.{up}", (inner if deepest else 2 * inner, outer, 4, 4), outer)
            self.make_norm(f"{key}.{up + 1}", outer)
        self.make_conv("model.model.3", (2 * ngf, 3, 4, 4), 3, bias=True)

    @staticmethod
    def key(level: int) -> str:
        return "model.model.1" + (level - 2) * ".model.3" + ".model"

    def paint(self, x: Tensor) -> Tensor:
        x = self._level(2, self.conv("model.model.0", x, 2, 1))
        return torch.tanh(self.up("model.model.3", F.relu(x)))

    def _level(self, level: int, x: Tensor) -> Tensor:
        key = self.key(level)
        x = F.leaky_relu(x, 0.2)  # in place in the reference: the skip is activated too
        h = self.conv(f"{key}.1", x, 2, 1)
        if level == self.levels:
            return torch.cat([x, self.normed(f"{key}.4", self.up(f"{key}.3", F.relu(h)))], 1)
        h = self._level(level + 1, self.normed(f"{key}.2", h))
        return torch.cat([x, self.normed(f"{key}.6", self.up(f"{key}.5", F.relu(h)))], 1)


def mirrored(x: Tensor, by: int) -> Tensor:
    return F.pad(x, (by, by, by, by), "reflect")


@pytest.fixture
def save(tmp_path: Path):
    def write(state: object, name: str = "latest_net_G.pth") -> Path:
        torch.save(state, tmp_path / name)
        return tmp_path / name

    torch.manual_seed(0)
    return write


NORMS = ("instance", "batch", "none")


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("blocks", "dropout"), [(9, False), (6, True)])
def test_resnets_paint_what_the_reference_paints(
    save, tmp_path: Path, norm: str, blocks: int, dropout: bool
) -> None:
    net = Resnet(blocks, norm, dropout)
    found = import_checkpoint(save(net.state), tmp_path / "g.pt")
    assert found.architecture == f"resnet_{blocks}blocks"
    assert found.options == {"norm": norm, "dropout": dropout, "ngf": 4}
    loaded = load_generator(tmp_path / "g.pt")
    assert (loaded.architecture, loaded.options) == (found.architecture, found.options)
    x = torch.rand(2, 3, 32, 48) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(loaded.generator(x), net.paint(x), atol=1e-5, rtol=0)
    assert found.parameters == sum(p.numel() for p in loaded.generator.parameters())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("levels", [8, 7])
def test_unets_paint_what_the_reference_paints(
    save, tmp_path: Path, norm: str, levels: int
) -> None:
    net = Unet(levels, norm)
    found = import_checkpoint(save(net.state), tmp_path / "g.pt")
    assert found.architecture == f"unet_{2**levels}"
    assert found.options == {"norm": norm, "ngf": 2}
    x = torch.rand(1, 3, 256, 256) * 2 - 1
    with torch.no_grad():
        painted = load_generator(tmp_path / "g.pt").generator(x)
    torch.testing.assert_close(painted, net.paint(x), atol=1e-5, rtol=0)


def test_wrapped_old_and_half_precision_state_dicts(save, tmp_path: Path) -> None:
    net = Resnet(6, "instance")
    x = torch.rand(1, 3, 16, 16)
    old = {f"module.{key}": value for key, value in net.state.items()}
    old |= {f"module.model.2.{part}": torch.rand(4) for part in ("running_mean", "running_var")}
    old["module.model.2.num_batches_tracked"] = torch.tensor(1)
    import_checkpoint(save(old), tmp_path / "old.pt")
    halves = {key: value.half() for key, value in net.state.items()}
    import_checkpoint(save(halves), tmp_path / "half.pt")
    with torch.no_grad():
        painted = [load_generator(tmp_path / f"{n}.pt").generator(x) for n in ("old", "half")]
    torch.testing.assert_close(painted[0], net.paint(x), atol=1e-5, rtol=0)
    torch.testing.assert_close(painted[1], net.paint(x), atol=1e-2, rtol=0)


def test_batch_norms_that_did_not_count(save, tmp_path: Path) -> None:
    net = Resnet(6, "batch")
    state = {k: v for k, v in net.state.items() if "num_batches_tracked" not in k}
    import_checkpoint(save(state), tmp_path / "g.pt")
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        painted = load_generator(tmp_path / "g.pt").generator(x)
    torch.testing.assert_close(painted, net.paint(x), atol=1e-5, rtol=0)


class Cut(Resnet):
    """A ResNet as CUT has it: what changes the size is a filter of its own."""

    def __init__(self, blocks: int, norm: str, both: bool = True, ngf: int = 4) -> None:
        Net.__init__(self, norm)
        self.blocks, self.both = blocks, both
        for key, n, m, side in ((1, ngf, 3, 7), (4, 2 * ngf, ngf, 3), (8, 4 * ngf, 2 * ngf, 3)):
            self.make_conv(f"model.{key}", (n, m, side, side), n)
            self.make_norm(f"model.{key + 1}", n)
        self.make_filter("model.7", 2 * ngf, [1, 2, 1], 1)
        self.make_filter("model.11", 4 * ngf, [1, 2, 1], 1)
        for i in range(12, 12 + blocks):
            for place in (1, 5):
                key = f"model.{i}.conv_block"
                self.make_conv(f"{key}.{place}", (4 * ngf, 4 * ngf, 3, 3), 4 * ngf)
                self.make_norm(f"{key}.{place + 1}", 4 * ngf)
        at = 12 + blocks
        self.ups = []
        for n in (4 * ngf, 2 * ngf):
            if both:
                self.make_filter(f"model.{at}", n, [1, 3, 3, 1], 4)
                at += 1
            shape = (n // 2, n, 3, 3) if both else (n, n // 2, 3, 3)
            self.make_conv(f"model.{at}", shape, n // 2)
            self.make_norm(f"model.{at + 1}", n // 2)
            self.ups.append(at)
            at += 3
        self.last = f"model.{at + 1}"
        self.make_conv(self.last, (3, ngf, 7, 7), 3, bias=True)

    def make_filter(self, key: str, channels: int, row: list[int], gain: int) -> None:
        one = torch.tensor(row, dtype=torch.float32)
        square = torch.outer(one, one)
        self.state[f"{key}.filt"] = (gain * square / square.sum()).repeat(channels, 1, 1, 1)

    def filtered(self, key: str, x: Tensor) -> Tensor:
        filt = self.state[f"{key}.filt"]
        if filt.shape[-1] == 3:
            return F.conv2d(mirrored(x, 1), filt, stride=2, groups=len(filt))
        x = F.pad(x, (1, 1, 1, 1), "replicate")
        made = F.conv_transpose2d(x, filt, stride=2, padding=2, groups=len(filt))
        return made[:, :, 1:, 1:][:, :, :-1, :-1]

    def paint(self, x: Tensor) -> Tensor:
        x = F.relu(self.normed("model.2", self.conv("model.1", mirrored(x, 3))))
        for key in (4, 8):
            x = F.relu(self.normed(f"model.{key + 1}", self.conv(f"model.{key}", x, 1, 1)))
            x = self.filtered(f"model.{key + 3}", x)
        for i in range(12, 12 + self.blocks):
            key = f"model.{i}.conv_block"
            h = F.relu(self.normed(f"{key}.2", self.conv(f"{key}.1", mirrored(x, 1))))
            x = x + self.normed(f"{key}.6", self.conv(f"{key}.5", mirrored(h, 1)))
        for at in self.ups:
            if self.both:
                x = self.conv(f"model.{at}", self.filtered(f"model.{at - 1}", x), 1, 1)
            else:
                x = self.up(f"model.{at}", x, 1)
            x = F.relu(self.normed(f"model.{at + 1}", x))
        return torch.tanh(self.conv(self.last, mirrored(x, 3)))


@pytest.mark.parametrize("blocks", [4, 9])
@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("both", [True, False])
def test_cut_paints_what_the_reference_paints(save, tmp_path, blocks, norm, both) -> None:
    net = Cut(blocks, norm, both)
    found = import_checkpoint(save(net.state), tmp_path / "g.pt")
    assert found.architecture == f"resnet_{blocks}blocks"
    assert found.options["antialias"] == ("both" if both else "down")
    x = torch.rand(1, 3, 32, 40) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(
            load_generator(tmp_path / "g.pt").generator(x), net.paint(x), atol=1e-5
        )


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (lambda s: {"state_dict": s, "epoch": 3}, "'state_dict'"),
        (lambda s: {"a": {"b": {"state_dict": s}}, "optimizer": {"lr": 0.1}}, "'a.b.state_dict'"),
        (lambda s: {f"module.{k}": v for k, v in s.items()}, "'module.'"),
        (lambda s: {"state_dict": {f"netG.{k}": v for k, v in s.items()}}, "'netG.'"),
        (lambda s: {f"netG.module.{k}": v for k, v in s.items()}, "'netG.module.'"),
        (
            lambda s: (
                {f"G.{k}": v for k, v in s.items()} | {"D.model.0.weight": torch.ones(1, 3, 4, 4)}
            ),
            "'G.'",
        ),
        (lambda s: {"g": {"old": 1}, "params": s, "params_ema": s}, "'params_ema'"),
        (lambda s: {"netG_A": s, "netG_B": s}, "of 2 generators in the file the first"),
        (lambda s: {k.removeprefix("model."): v for k, v in s.items()}, ""),
    ],
)
@pytest.mark.parametrize("kind", [Resnet, Cut])
@pytest.mark.parametrize("name", ["checkpoint", "net.pkl", "net.ckpt"])
def test_however_it_is_wrapped(save, tmp_path, wrap, said, kind, name) -> None:
    net = kind(6, "batch")
    found = import_checkpoint(save(wrap(net.state), name), tmp_path / "g.pt")
    assert said in "; ".join(found.assumed)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        painted = load_generator(tmp_path / "g.pt").generator(x)
        assert torch.allclose(painted, net.paint(x), atol=1e-5)


def write_safetensors(path: Path, state: State) -> Path:
    table, numbers = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in state.items():
        data = tensor.numpy().tobytes()
        kind = {torch.float32: "F32", torch.float16: "F16", torch.int64: "I64"}[tensor.dtype]
        span = [len(numbers), len(numbers) + len(data)]
        table[name] = {"dtype": kind, "shape": [*tensor.shape], "data_offsets": span}
        numbers += data
    head = json.dumps(table).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + numbers)
    return path


@pytest.mark.parametrize("half", [False, True])
def test_safetensors(tmp_path, half) -> None:
    torch.manual_seed(0)
    net = Resnet(6, "batch")
    state = {k: v.half() if half and v.is_floating_point() else v for k, v in net.state.items()}
    import_checkpoint(write_safetensors(tmp_path / "net.safetensors", state), tmp_path / "g.pt")
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        painted = load_generator(tmp_path / "g.pt").generator(x)
    assert torch.allclose(painted, net.paint(x), atol=1e-5 if not half else 0.05)


@pytest.mark.parametrize("cut", [0, 4, 100, 20_000])
def test_damaged_safetensors(tmp_path, cut) -> None:
    path = write_safetensors(tmp_path / "net.safetensors", Resnet(6, "none").state)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(TrainingError, match=r"net\.safetensors"):
        import_checkpoint(path, tmp_path / "g.pt")


def test_names_of_generators(save, tmp_path: Path) -> None:
    source = save(Resnet(6, "instance").state, "Monet (2017).pth")
    import_checkpoint(source, tmp_path / "a.pt")
    assert load_generator(tmp_path / "a.pt").recipe == {
        "name": "monet-2017",
        "title": "Monet (2017)",
    }
    import_checkpoint(source, tmp_path / "b.pt", name="Mine")
    assert load_generator(tmp_path / "b.pt").recipe == {"name": "mine", "title": "Mine"}
    with pytest.raises(UsageError, match="give --name"):
        import_checkpoint(source, tmp_path / "c.pt", name="...")


def without(state: State, key: str) -> State:
    return {k: v for k, v in state.items() if k != key}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (Resnet(6, "instance", takes=1).state, "from 1 to 3 channels; only RGB"),
        (
            Unet(7, "batch").state | {"model.model.3.bias": torch.zeros(1)},
            "from 3 to 1 channels; only RGB",
        ),
        (Resnet(3, "none").state, "ResNet of 3 residual blocks; only 4 to 9"),
        (Unet(6, "batch").state, "U-Net of 6 levels; only 8"),
        ({"fc.weight": torch.zeros(2, 2)}, "it begins with fc.weight; supported are state dicts"),
        ({"state_dict": {}, "epoch": 3}, "it begins with state_dict, epoch; supported"),
        ({3: torch.zeros(1)}, "it begins with 3"),
        ({}, "it begins with nothing"),
        (
            without(Resnet(6, "none").state, "model.12.conv_block.5.weight"),
            "looks like resnet_6blocks, but model.12.conv_block.5.weight is missing",
        ),
        (Unet(7, "none").state | {"extra": torch.zeros(1)}, "but extra does not belong there"),
        (
            Resnet(6, "none").state | {"model.1.weight": torch.full((4, 3, 7, 7), torch.nan)},
            "model.1.weight has values that are no finite numbers",
        ),
        (
            Unet(7, "none").state | {"model.model.1.model.1.weight": torch.zeros(4, 2, 3, 3)},
            r"model.1.weight has the shape \[4, 2, 3, 3\], not \[4, 2, 4, 4\]",
        ),
    ],
)
def test_state_dicts_of_something_else(save, tmp_path: Path, state: State, said: str) -> None:
    source = save(state)
    with pytest.raises(TrainingError, match=said):
        import_checkpoint(source, tmp_path / "g.pt")
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_files_that_are_no_state_dicts(save, tmp_path: Path) -> None:
    whole = save(Resnet(6, "instance").state).read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("no checkpoint")
    save([torch.zeros(1)], "list.pth")
    for name in ("cut.pth", "text.pth", "list.pth"):
        with pytest.raises(TrainingError, match=name):
            import_checkpoint(tmp_path / name, tmp_path / "g.pt")
    with pytest.raises(UsageError, match=r"none\.pth does not exist"):
        import_checkpoint(tmp_path / "none.pth", tmp_path / "g.pt")
    assert not (tmp_path / "g.pt").exists()


class Hostile:
    """Unpickling one makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.folder,)


def test_a_hostile_file_runs_no_code(save, tmp_path: Path, cli) -> None:
    source = save({"model.1.weight": Hostile(tmp_path / "owned")})
    run = cli("import", source, "--out", tmp_path / "g.pt")
    assert run.code == 1
    assert str(source) in run.error()
    assert [p.name for p in tmp_path.iterdir()] == [source.name]


def test_what_is_pleinairs_already_needs_no_import(save, tmp_path: Path) -> None:
    source = save(Resnet(6, "instance").state)
    import_checkpoint(source, tmp_path / "g.pt")
    with pytest.raises(UsageError, match="checkpoint of pleinair already"):
        import_checkpoint(tmp_path / "g.pt", tmp_path / "h.pt")


def test_existing_outputs(save, tmp_path: Path) -> None:
    source = save(Resnet(6, "instance").state)
    out = tmp_path / "g.pt"
    out.write_text("mine")
    with pytest.raises(UsageError, match="add --overwrite"):
        import_checkpoint(source, out)
    assert out.read_text() == "mine"
    import_checkpoint(source, out, overwrite=True)
    assert load_generator(out).step == 0
    with pytest.raises(UsageError, match="is the input"):
        import_checkpoint(source, source, overwrite=True)
    with pytest.raises(UsageError, match="is a folder"):
        import_checkpoint(source, tmp_path, overwrite=True)


def test_the_verb(save, tmp_path: Path, cli) -> None:
    source = save(Unet(7, "batch").state)
    run = cli("import", source, "--out", tmp_path / "g.pt", "--json")
    assert run.code == 0
    assert json.loads(run.out)["architecture"] == "unet_128"
    run = cli("import", source, "--out", tmp_path / "g.pt")
    assert run.code == 2
    assert "add --overwrite" in run.error()
    run = cli("import", source, "--out", tmp_path / "g.pt", "--overwrite")
    assert "unet_128 with norm batch, ngf 2" in run.out


def test_the_verb_takes_safetensors(tmp_path: Path, cli) -> None:
    source = write_safetensors(tmp_path / "net.safetensors", Resnet(6, "none").state)
    run = cli("import", source, "--out", tmp_path / "g.pt")
    assert run.code == 0, run.err
    assert "resnet_6blocks" in run.out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "other"}, "holds no generator of pleinair"),
        ({"architecture": "edge_x"}, "did you mean"),
        ({"architecture": None}, "does not fit|unknown"),
        ({"architecture": "edge_s", "options": {}}, "does not fit edge_s"),
        ({"options": {"norm": "batch"}}, "does not fit resnet_6blocks"),
        ({"options": {"nrm": "batch"}}, "no option 'nrm'"),
        ({"options": None}, "does not fit"),
        ({"state": 3}, "does not fit"),
    ],
)
def test_damaged_generators(save, tmp_path: Path, change: dict[str, object], said: str) -> None:
    import_checkpoint(save(Resnet(6, "instance").state), tmp_path / "g.pt")
    state = torch.load(tmp_path / "g.pt", weights_only=True)
    torch.save(state | change, tmp_path / "g.pt")
    with pytest.raises(TrainingError, match=said):
        load_generator(tmp_path / "g.pt")


@pytest.mark.parametrize("key", ["architecture", "recipe", "step", "state"])
def test_incomplete_generators(save, tmp_path: Path, key: str) -> None:
    import_checkpoint(save(Resnet(6, "instance").state), tmp_path / "g.pt")
    state = torch.load(tmp_path / "g.pt", weights_only=True)
    torch.save(without(state, key), tmp_path / "g.pt")
    with pytest.raises(PleinairError, match=f"it has no '{key}'"):
        load_generator(tmp_path / "g.pt")


def test_what_is_no_state_dict_is_called_by_its_name(tmp_path):
    whole, script = tmp_path / "whole.pth", tmp_path / "script.pt"
    torch.save(torch.nn.Conv2d(3, 3, 1), whole)
    with pytest.raises(TrainingError, match=r"it holds a whole torch\.nn\.modules\.conv\.Conv2d.*"):
        import_checkpoint(whole, tmp_path / "out.pt")
    with pytest.warns(FutureWarning, match="deprecated"):
        torch.jit.script(torch.nn.ReLU()).save(script)
    with pytest.raises(TrainingError, match=r"it is a TorchScript archive; write its weights"):
        import_checkpoint(script, tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


def in_itself(state: State) -> dict[str, object]:
    nested: dict[str, object] = {"state_dict": state}
    nested["me"] = nested
    return nested


def twice_each(state: State) -> dict[str, object]:
    nested: dict[str, object] = {"state_dict": state}
    for _ in range(30):
        nested = {"a": nested, "b": nested}
    return nested


def changed(change):
    return lambda state: {**state, "model.1.bias": change(state["model.1.bias"])}


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(lambda x: x.to_sparse()), "sparse, quantized or complex numbers"),
        (changed(lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)), "sparse, quant"),
        (changed(lambda x: x.to(torch.complex64)), "sparse, quantized or complex numbers"),
        (changed(lambda x: x.to("meta")), "tensors without values"),
        (in_itself, "itself, or more than"),
        (twice_each, "itself, or more than"),
    ],
)
def test_what_is_no_plain_number_is_refused(save, tmp_path, change, said) -> None:
    source = save(change(Resnet(6, "instance").state), "odd.pth")
    with pytest.raises(TrainingError, match=f"is not a readable checkpoint: it holds {said}"):
        import_checkpoint(source, tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()
