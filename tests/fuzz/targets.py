"""What is read from others, as targets for fuzzers: any bytes give a result or a `ChemNetError`.

A target turns bytes into files in a folder and reads them; whatever else than a `ChemNetError` it raises is a
defect, and so is more than 2 GB or 10 s of CPU (`limits`).
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import h5py
import numpy as np
from made_network import write_made_network

from chemnet.chemistry.formats.expressions import RateExpression, compile_expression
from chemnet.chemistry.network.network import Network
from chemnet.config import load_config
from chemnet.config.whole_file import with_checksum
from chemnet.data.readers.tracer_table import TracerTable
from chemnet.errors import ChemNetError
from chemnet.export.weight_file import checksum, read_weight_file, write_weight_file
from chemnet.models.weights import read_described_tensors
from chemnet.results import ResultDirectory
from chemnet.results.digests import content_digest

MOST_BYTES, MOST_SECONDS = 2 * 2**30, 10
#: stands between the files of a folder
BETWEEN = b"\n\x0c\n"
_TORN = (
    b"\0",
    b"\xff",
    b"9" * 40,
    b"1e999",
    b"nan",
    b"-",
    b"(" * 300,
    b"[" * 300,
    b'"',
    b"\n",
    b",",
    b"9**9**9",
)
_LONG = b"\xff\xff\xff\xff\xff\xff\xff\x7f"


@dataclass(frozen=True)
class Target:
    """Bytes to begin with, and what reads them."""

    seeds: Sequence[bytes]
    read: Callable[[bytes, Path], object]
    words: Sequence[bytes] = ()

    def __call__(self, data: bytes) -> None:
        """Read bytes; anything but a result or a `ChemNetError` is raised."""
        with tempfile.TemporaryDirectory(dir=_memory_folder()) as folder, limits(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                self.read(data, Path(folder))
            except ChemNetError as error:
                str(error)

    def mutated(self, rng: random.Random) -> bytes:
        """Return a seed after some changes of the kinds that break readers."""
        data = bytearray(rng.choice(self.seeds))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            _change(data, rng, [*_TORN, _LONG, *self.words])
        return bytes(data)


def _change(data: bytearray, rng: random.Random, words: Sequence[bytes]) -> None:
    """Change bytes at a random place."""
    at = rng.randrange(len(data) + 1)
    stop = min(len(data), at + rng.choice((1, 1, 2, 4, 8, 30)))
    kind = rng.randrange(6)
    if kind == 0:
        del data[at:stop]
    elif kind == 1:
        data[at:stop] = bytes(rng.randrange(256) for _ in range(stop - at))
    elif kind == 2:
        data[at:at] = rng.choice(words)
    elif kind == 3:
        word = rng.choice(words)
        data[at : at + len(word)] = word
    elif kind == 4:
        data[at:at] = data[at:stop] * rng.choice((1, 2, 1000))
    elif at < len(data):
        data[at] ^= 1 << rng.randrange(8)


@contextmanager
def limits() -> Iterator[None]:
    """Allow 2 GB more than the process has, and 10 s of CPU."""
    old = resource.getrlimit(resource.RLIMIT_AS)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGPROF, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (held + MOST_BYTES, old[1]))
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, old)
        signal.signal(signal.SIGPROF, before)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong(f"more than {MOST_SECONDS} s of CPU")


class TooLong(BaseException):
    """Reading took too long; no reader may catch it."""


def _memory_folder() -> str | None:
    """A folder in memory, where there is one: each input is written to a file."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


# --- configurations -------------------------------------------------------------------------------


def _config(data: bytes, folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_bytes(data)
    load_config([file])


def _overrides(data: bytes, folder: Path) -> None:
    words = data.decode(errors="replace").split("\n")
    packaged = folder / "none.toml"
    packaged.touch()
    load_config([packaged], words)


_CONFIG = b"""# comment
[train]
epochs = 20
batch_size = 64
[general]
log_level = "warning"
seed = 3
[data_set]
physical = ["Density", "Radfield", "Av", "gasTemp"]
columns = {Time = "t", H2O = "water"}
[simulate.rates]
scale = {LH = 0.1, "H + H2O+ -> H2O + H+" = 2.0}
[model.Autoencoder]
hidden = [16, 12]
"""
_OVERRIDES = b"""train.epochs=20
'torch.optim.AdamW'.lr=1e-3
model.name=Autoencoder
data_set.columns={Time="t"}
umap.reducer=pca"""

# --- networks -------------------------------------------------------------------------------------


def _network(*names: str) -> Callable[[bytes, Path], None]:
    def read(data: bytes, folder: Path) -> None:
        for name, part in zip(names, data.split(BETWEEN), strict=False):
            (folder / name).write_bytes(part)
        Network.read(folder if len(names) > 1 else folder / names[0])

    return read


def _made_uclchem() -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_made_network(Path(scratch))
        return BETWEEN.join((folder / name).read_bytes() for name in ("species.csv", "reactions.csv"))


_UMIST = b"""# a comment
1:AD:C-:C:C2:e-:::1:5.00e-10:0.00:0.0:10:41000:L:C:"10.1086/190665":"a reference":
612:CP:H2:CRP:H+:H:e-::1:2.86e-19:0.00:0.0:10:41000:L:C:"":"":
618:CR:CO:CRPHOT:O:C:::1:1.30e-17:1.17:105.0:10:300:L:C::
5900:PH:OH:PHOTON:O:H:::1:3.90e-10:0.00:2.2:10:41000:L:C::
2700:DR:HCO+:e-:CO:H:::2:2.40e-07:-0.69:0.0:10:300:M:A:"d":"r":1.10e-07:-1.00:0.0:300:41000:M:A:"d":"r":
"""
_KIDA = b"\n".join(
    f"{left:<34} {right:<56}{numbers} 2.00e+00 0.00e+00 logn  4 {tail}     1 1  1".encode()
    for left, right, numbers, tail in (
        ("C          OH", "CO         H", " 1.000e-10  5.000e-01  0.000e+00", "    10    280  3"),
        ("OH         Photon", "O          H", " 2.300e-10  0.000e+00  3.000e+00", " -9999   9999  2"),
        ("H3+        NH3", "NH4+       H2", " 1.000e+00  2.700e-09  3.330e+00", "    10  41000  4"),
    )
)
_KROME = b"""# made up
@common: user_crate,user_Av
@var: half = 0.5d0
1,H,E,,H+,E,E,,NONE,NONE,1d-9*exp(-157809.*invT)
2,H+,E,,H,g,,,2.73d0,.LE.5.5e3,3.92d-13*invTe**0.6353d0
@noTabNext
@format:idx,R,R,P,P,rate
5,C,OH,CO,H,max(1d-10, 2d-10*T32**half)
@CR_start
@format:idx,R,P,P,rate
6,H2,H,H,1d-1*user_crate
@CR_stop
@var:half=2d0
@ghost: Fe, SiO_ice
"""
_NATIVE = BETWEEN.join(
    (
        b'format = "chemnet"\nversion = 1\ngenerate_grain_rows = true\nbulk = true\n'
        b"[initial_abundances]\nH = 1.0\n",
        b"name,binding_energy,enthalpy,freeze_as,reference\nH,0,52.1,#H,ATcT\nH2,,0,,\nCO,0,-26.4,#CO,x\n"
        b"HCO,0,10,#HCO,\nHCO+,0,0,#CO + H,\nE-,,,,\n#H,650,52.1,,\n#CO,1300,-26.4,,\n#HCO,2400,10,,\n",
        b"reaction,kind,alpha,beta,gamma,t_min,t_max,extrapolate,reference\n"
        b"HCO+ + E- -> CO + H,TWOBODY,2.40E-07,-0.69,0,10,300,yes,RATE12\n"
        b"#H + #CO -> #HCO,LH,1,0,2500,,,,G\n",
    )
)


def _expression(data: bytes, folder: Path) -> None:
    expression: RateExpression = compile_expression(
        data.decode(errors="replace"), {"half": "0.5d0", "twice": "2*half"}
    )
    values = expression(Tgas=[10.0, 1e4], density=1e4, abundances=dict.fromkeys(expression.densities, 1e-4))
    assert values.shape in ((2,), ())


# --- tables ---------------------------------------------------------------------------------------


def _read_table(file: Path) -> None:
    config = load_config([_empty(file.parent)], [f"data_set.path={file}", "data_set.unequal_length=keep"])
    table = TracerTable(config)
    table.read(range(min(3, len(table.tracer_ids))))


def _empty(folder: Path) -> Path:
    file = folder / "none.toml"
    file.touch()
    return file


def _csv(data: bytes, folder: Path) -> None:
    (folder / "table.csv").write_bytes(data)
    _read_table(folder / "table.csv")


def _npy(data: bytes, folder: Path) -> None:
    names, _, array = data.partition(BETWEEN)
    (folder / "columns.json").write_bytes(names)
    (folder / "table.npy").write_bytes(array)
    _read_table(folder / "table.npy")


def _hdf5(data: bytes, folder: Path) -> None:
    (folder / "table.h5").write_bytes(data)
    _read_table(folder / "table.h5")


_COLUMNS = ("Tracer", "Time", "Density", "Radfield", "Av", "gasTemp", "H", "H2", "CO")
_ROWS = np.array(
    [[tracer, step * 1e3, 1e4, 1.0, 2.0, 20.0, 0.5, 0.25, 1e-4] for tracer in range(2) for step in range(3)]
)
_CSV = "\n".join([",".join(_COLUMNS), *(",".join(map(str, row)) for row in _ROWS.tolist())]).encode() + b"\n"


def _made_npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return json.dumps(list(_COLUMNS)).encode() + BETWEEN + stream.getvalue()


def _claimed_npy(shape: str) -> bytes:
    """An array whose header claims a shape, with no data behind it."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return (
        json.dumps(list(_COLUMNS)).encode()
        + BETWEEN
        + b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(header))
        + header
    )


def _made_hdf5(write: Callable[[h5py.File], None]) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        write(file)
    return stream.getvalue()


def _plain(n_tracers: int, n_steps: int, ids: int | None = None) -> Callable[[h5py.File], None]:
    """Arrays of a claimed size: chunked and never written, they take no room in the file."""

    def write(file: h5py.File) -> None:
        def claimed(name: str, *shape: int, value: float = 0.0) -> h5py.Dataset:
            free, chunks = (None,) * len(shape), (64,) * (len(shape) - 1) + (4,)
            return file.create_dataset(name, shape, "f4", maxshape=free, chunks=chunks, fillvalue=value)

        names = ["Density", "Radfield", "Av", "gasTemp"]
        claimed("physical", n_tracers, n_steps, 4, value=2.0).attrs["names"] = names
        time = claimed("time", n_steps)
        time[: min(n_steps, 64)] = np.arange(min(n_steps, 64)) * 1e3
        claimed("abundances", n_tracers, n_steps, 3, value=1e-4)
        file["species"] = np.array([b"H", b"H2", b"CO"])
        if ids is not None:
            claimed("tracer_id", ids)
            file["tracer_id"][:2] = [0, 1]

    return write


def _columns(n_rows: int) -> Callable[[h5py.File], None]:
    def write(file: h5py.File) -> None:
        data = file.create_dataset(
            "data", (n_rows, len(_COLUMNS)), "f8", chunks=(1, len(_COLUMNS)), fillvalue=1.0
        )
        data[: len(_ROWS)] = _ROWS
        file["columns"] = np.array([name.encode() for name in _COLUMNS])

    return write


def _pointers(file: h5py.File) -> None:
    _columns(6)(file)
    file["tracer_ptr"] = np.array([[0, 0, 3], [1, 3, 3]])


def _fixed(file: h5py.File) -> None:
    group = file.create_group("df")
    group.attrs["pandas_type"] = "frame"
    group["axis0"] = group["block0_items"] = np.array([name.encode() for name in _COLUMNS])
    group["block0_values"] = _ROWS


def _codes(file: h5py.File) -> None:
    file.attrs["labels"] = ["H", "H2", "CO"]
    for name in ("train", "test", "val"):
        file[name] = np.full((2, 3, 3), 1e-4)
        file[f"{name}_params"] = np.ones((2, 4))
    file["timesteps"] = np.arange(3.0)


# --- results and weights --------------------------------------------------------------------------


def _manifest(data: bytes, folder: Path) -> None:
    text = data.decode("utf-8", "replace")
    # a first byte says whether whoever made it knows of the checksum
    (folder / "result.toml").write_text(
        with_checksum(text[1:]) if text[:1] == "!" else text, encoding="utf-8"
    )
    (folder / "a.npy").write_bytes(b"abc")
    result = ResultDirectory.open(folder)
    repr(result)
    list(result.lineage())
    result.verify()


def _weights(data: bytes, folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(data)
    read_described_tensors(folder / "weights.safetensors")


def _bundle(data: bytes, folder: Path) -> None:
    if data[:1] == b"!" and len(data) > 40:
        body = data[41:]
        data = (
            data[1:17]
            + struct.pack("<Q", len(data) - 1)
            + data[25:33]
            + struct.pack("<Q", checksum(body))
            + body
        )
    (folder / "weights.bin").write_bytes(data)
    read_weight_file(folder / "weights.bin")


_MANIFEST = b"""!format = 1
verb = "train"
component = "autoencoder"
status = "done"
created = "2026-11-29T16:00:00+00:00"
wall_time_s = 1.5
digest = "abc"
config_digest = ""
[versions]
chemnet = "0.1.0"
[summary]
epochs = 3
[parents.preprocess]
path = "/nowhere/preprocess"
digest = "def"
[files."a.npy"]
size = 3
digest = "%s"
""" % content_digest([b"abc"]).encode()


def _made_weights() -> bytes:
    header = {
        "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "I64", "shape": [1], "data_offsets": [24, 32]},
        "__metadata__": {"kind": "test"},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(32)


def _made_bundle() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.bin"
        write_weight_file(file, {"name": "made", "w": np.ones((2, 3), "f4"), "n": np.array([1, 2, 3])})
        return b"!" + file.read_bytes()


TARGETS = {
    "config": Target(
        [_CONFIG], _config, [b"extends", b"[model.", b"torch.optim.", b"'''", b"1979-05-27", b"= {"]
    ),
    "overrides": Target([_OVERRIDES], _overrides, [b"=", b".", b"'", b"\n", b"inf", b"{}", b"[[]]"]),
    "uclchem": Target(
        [_made_uclchem()], _network("species.csv", "reactions.csv"), [b"NAN", b"BULK", b"#H", b"@H"]
    ),
    "umist": Target([_UMIST], _network("net.rates"), [b":", b"PHOTON", b"CRP", b":NN:"]),
    "kida": Target([_KIDA], _network("net.dat"), [b"Photon", b"CRP", b"-9999", b"          "]),
    "krome": Target(
        [_KROME], _network("react_net"), [b"@var:", b"@format:", b"idx,R,P", b"Tgas", b"half", b"**"]
    ),
    "native": Target(
        [_NATIVE], _network("network.toml", "species.csv", "reactions.csv"), [b" -> ", b"#", b"extends"]
    ),
    "expression": Target(
        [b"1d-9*exp(-157809.*invT)", b"max(1d-10, 2d-10*T32**half)", b"n(idx_H2)*twice/sqrTgas + sum(n)"],
        _expression,
        [b"**", b"(", b")", b"exp(", b"n(idx_", b"min(", b"1d308", b"half", b"/", b"get_Hnuclei(n(:))"],
    ),
    "csv": Target(
        [_CSV, _CSV.replace(b",", b";")], _csv, [b";", b"\t", b"#", b"1.0-100", b"2D3", b"\r", b"Tracer"]
    ),
    "npy": Target(
        [
            _made_npy(_ROWS),
            _made_npy(_ROWS.reshape(2, 3, -1)),
            *map(
                _claimed_npy,
                ("(10**12, 9)", "(1000000000000, 9)", "(0, 9)", "(6, 0)", "(-6, 9)", "(2**62, 2**62)"),
            ),
        ],
        _npy,
        [b"'shape': ", b"0", b"(", b"|O", b">f2", b"True"],
    ),
    "hdf5": Target(
        [
            *map(
                _made_hdf5,
                (
                    _plain(2, 3, 2),
                    _plain(2, 10**9),
                    _plain(10**12, 3),
                    _plain(2, 3, 10**12),
                    _plain(0, 0),
                    _plain(2, 0),
                ),
            ),
            *map(_made_hdf5, (_columns(6), _columns(10**12), _pointers, _fixed, _codes)),
        ],
        _hdf5,
    ),
    "manifest": Target([_MANIFEST], _manifest, [b"[files.", b"..", b"/", b"{}", b"1979-05-27", b"inf", b"!"]),
    "weights": Target([_made_weights()], _weights, [b"F64", b"BF16", b"F8_E4M3", b"data_offsets", b"{}"]),
    "bundle": Target([_made_bundle()], _bundle, [struct.pack("<Q", n) for n in (0, 1, 3, 4, 2**63)]),
}
