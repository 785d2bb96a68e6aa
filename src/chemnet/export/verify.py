"""Checking a bundle on this machine: its files, and every way of calling it that can be built here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chemnet.errors import ModelError
from chemnet.export.archive import unpacked
from chemnet.export.bundle import (
    RAW_REFERENCE_FILE,
    REFERENCE_FILE,
    WEIGHTS_FILE,
    changed_files,
    read_description,
)
from chemnet.export.onnx_and_pt2 import FILES, open_program
from chemnet.export.weight_file import read_weight_file
from chemnet.extras import install_command

# the sources that come with this chemnet; a bundle may come from anybody, and what is built here is run
_OWN = Path(__file__).with_name("c")
_SECONDS = 120
_C_FLAGS = ("-std=c99", "-O2", "-ffp-contract=fast")
_NUMBER = r"([-+.\w]+)"
# between a program and Python after one step, which differ by rounding
_PROGRAM_DEX = 1e-4
_CALLERS = ("C", "Fortran")
_SOURCE_SUFFIXES = (".c", ".h", ".f90")


@dataclass(frozen=True)
class Check:
    """What one way of calling a bundle gave.

    Attributes
    ----------
    what
        ``"files"``, ``"C"``, ``"Fortran"``, ``"ONNX"``, ``"PyTorch"``.
    verdict
        ``"agrees"``, ``"differs"``, ``"failed"``, ``"not here"`` or ``"not built"``.
    step_dex, rollout_dex
        Largest difference from the reference cells [dex] after one step and after all, or None; without cells
        whose equations were integrated.
    remark
        Why, where it is not plain; and how far those cells are.
    """

    what: str
    verdict: str
    step_dex: float | None = None
    rollout_dex: float | None = None
    remark: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether the bundle must not be used."""
        return self.verdict in ("differs", "failed")


def verify_bundle(path: Path) -> list[Check]:
    """Return what each check of a bundle gave, a folder or a .zip; where a file has changed nothing is built.

    Its digests stand in the bundle itself, so they prove nothing of who wrote it: a caller is built only
    where its sources are, byte for byte, those of this chemnet.

    Raises
    ------
    ModelError
        When it is no bundle.
    """
    with unpacked(path) as folder:
        return _verify_folder(folder)


def _verify_folder(folder: Path) -> list[Check]:
    changed = changed_files(folder, read_description(folder))
    if changed:
        remark = f"{len(changed)} changed or missing: {', '.join(changed[:3])}; export the surrogate again"
        return [Check("files", "failed", remark=remark)]
    foreign = _foreign_sources(folder)
    if foreign:
        remark = f"{foreign[0]} is not this chemnet's: no code of the bundle was run; build it yourself"
        not_built = (Check(what, "not built", remark=remark) for what in _CALLERS)
        return [Check("files", "agrees"), *not_built, *_check_programs(folder)]
    with tempfile.TemporaryDirectory(prefix="chemnet-verify-") as scratch:
        return [
            Check("files", "agrees"),
            _check_c(folder, Path(scratch)),
            _check_fortran(folder, Path(scratch)),
            *_check_programs(folder),
        ]


def _foreign_sources(folder: Path) -> list[str]:
    """Return the sources in a bundle that differ from those that come with chemnet."""
    found = (path for suffix in _SOURCE_SUFFIXES for path in sorted(folder.rglob(f"*{suffix}")))
    # weights as text, which nothing here compiles
    names = [path.relative_to(folder) for path in found if path.name != "embedded_weights.c"]
    return [
        str(name)
        for name in names
        if not (_OWN / name).is_file() or (_OWN / name).read_bytes() != (folder / name).read_bytes()
    ]


def _check_c(folder: Path, scratch: Path) -> Check:
    compiler = _compiler("CC", ("cc", "gcc", "clang"))
    if compiler is None:
        return Check("C", "not here", remark="no C compiler (CC, cc, gcc, clang)")
    program = scratch / "check_reference"
    sources = [*map(str, _sources()), str(_OWN / "examples/check_reference.c")]
    return _build_and_run(
        "C", [[compiler, *_C_FLAGS, *sources, "-lm", "-o", str(program)]], program, folder, REFERENCE_FILE
    )


def _check_fortran(folder: Path, scratch: Path) -> Check:
    c_compiler, compiler = _compiler("CC", ("cc", "gcc", "clang")), _compiler("FC", ("gfortran",))
    if compiler is None or c_compiler is None:
        return Check("Fortran", "not here", remark="no Fortran compiler (FC, gfortran)")
    program = scratch / "check_reference_fortran"
    objects = [scratch / f"{source.stem}.o" for source in _sources()]
    commands = [
        [c_compiler, *_C_FLAGS, "-c", str(source), "-o", str(made)]
        for source, made in zip(_sources(), objects, strict=True)
    ]
    fortran = [str(_OWN / "chemnet_surrogate.f90"), str(_OWN / "examples/check_reference.f90")]
    commands.append(
        [compiler, "-O2", f"-J{scratch}", *fortran, *map(str, objects), "-lm", "-o", str(program)]
    )
    return _build_and_run("Fortran", commands, program, folder, RAW_REFERENCE_FILE)


def _check_programs(folder: Path) -> list[Check]:
    """Return what the programs beside the library give, and which there are not."""
    names = {"onnx": "ONNX", "pt2": "PyTorch"}
    hint = "the bundle has none: chemnet export --format"
    return [
        _check_program(folder, names[kind], folder / file)
        if (folder / file).is_file()
        else Check(names[kind], "not here", remark=f"{hint} {kind}")
        for kind, file in FILES.items()
    ]


def _check_program(folder: Path, what: str, path: Path) -> Check:
    try:
        call = open_program(path)
    except ImportError:
        return Check(what, "not here", remark=f"not installed: {install_command('onnxruntime')}")
    except Exception as error:  # whatever a damaged or foreign program makes its runtime raise
        return Check(what, "failed", remark=_last_line(str(error)))
    cells: dict[str, Any] = read_weight_file(folder / REFERENCE_FILE)
    found = call(cells["physical"].copy(), cells["dt"][:, 0].copy(), cells["start"].copy())
    dex = _largest_dex(found, cells["step"])
    return Check(what, "agrees" if dex <= _PROGRAM_DEX else "differs", dex)


def _largest_dex(found: Any, expected: Any) -> float:
    """Return the largest difference [dex]; infinite where a cell has no answer."""
    least = np.finfo(np.float64).tiny
    apart = np.abs(np.log10(np.maximum(found, least)) - np.log10(np.maximum(expected, least)))
    return float(np.nan_to_num(apart, nan=np.inf).max())


def _sources() -> list[Path]:
    return sorted((_OWN / "src").glob("*.c"))


def _compiler(variable: str, names: Sequence[str]) -> str | None:
    wanted = os.environ.get(variable)
    return next((found for name in ([wanted] if wanted else names) if (found := shutil.which(name))), None)


def _build_and_run(
    what: str, commands: Sequence[Sequence[str]], program: Path, folder: Path, reference: str
) -> Check:
    """Return what a program says of the reference cells, after the commands that build it."""
    for command in commands:
        built = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if built.returncode:
            return Check(what, "failed", remark=f"does not compile: {_last_line(built.stderr)}")
    call = [str(program), str(folder / WEIGHTS_FILE), str(folder / reference)]
    ran = subprocess.run(call, capture_output=True, text=True, timeout=_SECONDS, check=False)
    found = dict(re.findall(rf"(\w+_dex|integrated)\s+{_NUMBER}", ran.stdout))
    if not found:
        return Check(what, "failed", remark=_last_line(ran.stderr or ran.stdout))
    verdict = "agrees" if ran.returncode == 0 else "differs"
    numbers = {name: float(value) for name, value in found.items()}
    remark = ""
    if numbers.get("integrated"):
        remark = f"{numbers['integrated']:.0f} cells integrated: {numbers['integrated_dex']:.1e} dex"
    return Check(what, verdict, numbers.get("step_dex"), numbers.get("rollout_dex"), remark)


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"


def require_good(checks: Sequence[Check], folder: Path) -> None:
    """Raise `ModelError` when a check found that the bundle must not be used."""
    bad = [check for check in checks if check.is_bad]
    if bad:
        raise ModelError(
            f"{folder}: {bad[0].what} {bad[0].verdict}" + (f" ({bad[0].remark})" if bad[0].remark else ""),
            hint="export the surrogate again, or send the table above with your compiler's version",
        )
