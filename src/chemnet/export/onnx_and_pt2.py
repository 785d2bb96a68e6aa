"""Programs beside the C library of a bundle: ONNX, and PyTorch's `torch.export`; both of `ConservingStep`."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from chemnet.errors import ConfigError, suggest
from chemnet.export.conserving_step import INPUTS, OUTPUTS, ConservingStep
from chemnet.extras import require
from chemnet.surrogate.surrogate import Surrogate

Array = NDArray[np.float64]
#: takes parameters, time steps and abundances, and returns new abundances
Call = Callable[[Array, Array, Array], Array]
FILES = {"onnx": "surrogate.onnx", "pt2": "surrogate.pt2"}
OPSET = 20
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_CONSTANT = re.compile(r"/constants/(tensor_\d+|[a-z_]+\.json)$")
# two, for a size of one would be taken for a constant
_EXAMPLE_CELLS = 2


def check_formats(formats: Sequence[str]) -> None:
    """Raise for a format that there is not, or one whose packages are missing.

    Raises
    ------
    ConfigError
        Naming the formats.
    MissingPackageError
        With the command that installs them.
    """
    for name in formats:
        if name not in FILES:
            raise ConfigError(f"export.formats: there is no format {name!r}", hint=suggest(name, FILES))
    if "onnx" in formats:
        for package in _PACKAGES[:2]:
            require(package, "writing ONNX (export.formats)")


def write_programs(surrogate: Surrogate, formats: Sequence[str], folder: Path) -> dict[str, Any]:
    """Write programs into a bundle, remove those of an older one, and return what ``surrogate.toml`` says.

    Raises
    ------
    ModelError
        When the emulator has an implicit step.
    """
    for file in FILES.values():
        (folder / file).unlink(missing_ok=True)
    if not formats:
        return {}
    program = _traced(surrogate)
    if "pt2" in formats:
        torch.export.save(program, folder / FILES["pt2"])
    if "onnx" in formats:
        _write_onnx(program, folder / FILES["onnx"])
    described = {"files": [FILES[name] for name in formats], "inputs": list(INPUTS), "outputs": list(OUTPUTS)}
    return {"programs": {**described, **({"onnx_opset": OPSET} if "onnx" in formats else {})}}


def open_program(path: Path) -> Call:
    """Return what calls a program, on the CPU.

    Raises
    ------
    ImportError
        When the package that runs it is missing.
    """
    return _open_onnx(path) if path.suffix == ".onnx" else _open_pt2(path)


def _traced(surrogate: Surrogate) -> torch.export.ExportedProgram:
    step, domain, n = ConservingStep(surrogate).eval(), surrogate.domain, _EXAMPLE_CELLS
    physical = torch.tensor([domain.physical_min] * n, dtype=torch.float64)
    dt = torch.full((n,), domain.dt_usual or 1.0, dtype=torch.float64)
    abundances = torch.full((n, len(surrogate.species)), 0.01, dtype=torch.float64)
    cells = torch.export.Dim("cells", min=1)
    shapes = ({0: cells},) * len(INPUTS)
    with torch.no_grad(), _quiet():
        return torch.export.export(step, (physical, dt, abundances), dynamic_shapes=shapes, strict=False)


def _write_onnx(program: torch.export.ExportedProgram, path: Path) -> None:
    options: dict[str, Any] = {"input_names": INPUTS, "output_names": OUTPUTS, "opset_version": OPSET}
    with _quiet():
        # its optimizer takes minutes, and ONNX Runtime has its own
        made = torch.onnx.export(program, dynamo=True, optimize=False, verbose=False, **options)
    if made is None:
        raise RuntimeError("torch.onnx.export made no program")
    made.save(path, external_data=False)


def _open_onnx(path: Path) -> Call:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: it warns of constants that it does not fold
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def call(*values: Array) -> Array:
        found: Array = session.run(None, dict(zip(INPUTS, values, strict=True)))[0]
        return found

    return call


def _open_pt2(path: Path) -> Call:
    with tempfile.TemporaryDirectory(prefix="chemnet-program-") as scratch, _no_pickled_code(), _quiet():
        step: Any = torch.export.load(_without_objects(path, Path(scratch))).module()

    def call(*values: Array) -> Array:
        with torch.no_grad():
            found: Array = step(*(torch.from_numpy(one) for one in values))[0].numpy()
        return found

    return call


def _without_objects(path: Path, scratch: Path) -> Path:
    """Return a copy whose constants are tensors: PyTorch unpickles others, and so runs what they say."""
    copy = scratch / path.name
    with zipfile.ZipFile(path) as found, zipfile.ZipFile(copy, "w") as kept:
        for name in found.namelist():
            if "/constants/" not in name.lower() or _CONSTANT.search(name):
                kept.writestr(name, found.read(name))
    return copy


@contextmanager
def _no_pickled_code() -> Iterator[None]:
    """Let PyTorch read tensors alone, where it would unpickle anything: a bundle comes from anybody."""
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what PyTorch says of packages that are not needed here, and of its own deprecations."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
