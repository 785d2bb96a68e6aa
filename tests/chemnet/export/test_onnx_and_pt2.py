"""ONNX and torch.export beside the C library: the same step as `Surrogate.step`, for any number of cells."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import made_implicit
import numpy as np
import pytest
import torch

from chemnet.config import load_config
from chemnet.errors import ConfigError, ModelError
from chemnet.export import onnx_and_pt2
from chemnet.export.bundle import read_description, write_bundle
from chemnet.export.conserving_step import BAD_INPUT, OUTSIDE_PHYSICAL, ConservingStep
from chemnet.export.onnx_and_pt2 import FILES, open_program
from chemnet.export.reference import reference_cells
from chemnet.export.verify import _check_programs
from chemnet.extras import is_installed
from chemnet.verbs.export import Export

FORMATS = [kind for kind in FILES if kind != "onnx" or all(map(is_installed, onnx_and_pt2._PACKAGES))]


@pytest.fixture(scope="module")
def with_programs(surrogate: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with every format that can be written here."""
    return write_bundle(surrogate, tmp_path_factory.mktemp("programs") / "library", formats=FORMATS)


def test_programs_agree_with_python_for_any_number_of_cells(surrogate: Any, with_programs: Path) -> None:
    cells = reference_cells(surrogate)
    for kind in FORMATS:
        call = open_program(with_programs / FILES[kind])
        for n in (1, 7):
            found = call(cells.physical[:n].copy(), cells.dt[:n, 0].copy(), cells.start[:n].copy())
            np.testing.assert_allclose(np.log10(found), np.log10(cells.step[:n]), atol=1e-5, rtol=0)
            atoms = surrogate.data.stoichiometry
            np.testing.assert_allclose(found @ atoms, cells.start[:n] @ atoms, rtol=1e-8)


def test_verify_compares_what_is_there_and_lists_what_is_not(with_programs: Path, bundle: Path) -> None:
    described = read_description(with_programs)["programs"]
    assert described["files"] == [FILES[kind] for kind in FORMATS]
    assert ("onnx_opset" in described) == ("onnx" in FORMATS)
    verdicts = {check.what: check.verdict for check in _check_programs(with_programs)}
    assert verdicts["PyTorch"] == "agrees"
    assert verdicts["ONNX"] == ("agrees" if "onnx" in FORMATS else "not here")
    assert {check.verdict for check in _check_programs(bundle)} == {"not here"}


def test_bad_cells_are_flagged_and_leave_the_others_alone(surrogate: Any) -> None:
    cells = reference_cells(surrogate)
    inputs = [torch.from_numpy(np.array(x[:5])) for x in (cells.physical, cells.dt[:, 0], cells.start)]
    step = ConservingStep(surrogate)
    good, _ = step(*inputs)
    physical, dt, abundances = (one.clone() for one in inputs)
    physical[0, 0], dt[1], abundances[2, 0], physical[3] = torch.nan, 0.0, -1.0, physical[3] * 1e3
    found, flags = step(physical, dt, abundances)
    assert (flags[:3] == BAD_INPUT).all()
    assert found[:3].isnan().all()
    assert flags[3] & OUTSIDE_PHYSICAL
    assert found[3].isfinite().all()
    torch.testing.assert_close(found[4], good[4], rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["LatentRelaxation", "LatentRNN", "DirectEmulator"])
def test_every_kind_of_emulator_and_balanced_charges(make_emulator: Any, surrogate: Any, name: str) -> None:
    from chemnet.surrogate.surrogate import Surrogate

    made = Surrogate(make_emulator(name, use_dt=True), surrogate.domain, "made", {}).neutral()
    cells = reference_cells(surrogate)
    found, flags = ConservingStep(made)(
        *(torch.from_numpy(np.array(x)) for x in (cells.physical, cells.dt[:, 0], cells.start))
    )
    expected = made.step(cells.physical, cells.start, cells.dt[:, 0])
    assert not (flags & BAD_INPUT).any()
    np.testing.assert_allclose(found.log10().numpy(), np.log10(expected), atol=1e-5, rtol=0)


def test_what_cannot_be_written_is_refused_with_the_key(tmp_path: Path) -> None:
    made = made_implicit.make_surrogate("collapse")
    with pytest.raises(ModelError, match="accuracy=fast"):
        write_bundle(made, tmp_path / "library", formats=["pt2"])
    with pytest.raises(ConfigError, match="no format 'onxx'"):
        Export(load_config()).run("collapse", tmp_path / "library", formats=["onxx"])


class _Planted:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("where", ["data/constants/opaque_obj_0", "data/sample_inputs/model.pt"])
def test_objects_that_a_program_brings_are_not_unpickled(
    with_programs: Path, tmp_path: Path, where: str
) -> None:
    mark, planted = tmp_path / "mark", tmp_path / FILES["pt2"]
    with zipfile.ZipFile(with_programs / FILES["pt2"]) as found, zipfile.ZipFile(planted, "w") as changed:
        top = found.namelist()[0].split("/")[0]
        for name in found.namelist():
            content = found.read(name)
            if name.endswith("_constants_config.json"):
                content = (
                    b'{"config": {"planted": {"path_name": "opaque_obj_0", "is_param": false, '
                    b'"use_pickle": true, "tensor_meta": null}}}'
                )
            if not name.endswith(where):
                changed.writestr(name, content)
        changed.writestr(f"{top}/{where}", pickle.dumps(_Planted(mark)))
    with pytest.raises(Exception, match=r".+"):
        open_program(planted)
    assert not mark.exists()
