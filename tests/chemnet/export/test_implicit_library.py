"""The library's implicit step, its correction and its solver are those of Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from exported_library import FLAGS, Library
from made_implicit import make_surrogate, random_cells, write_gas

from chemnet.chemistry.network.network import Network
from chemnet.export.library_arrays import packed_surrogate
from chemnet.export.weight_file import write_weight_file
from chemnet.surrogate.surrogate import Surrogate

# uclchem_compatible by network: gas alone, two phases, three
KINDS = {"gas": False, "collapse": False, "collapse_bulk": True}
SOLVER = FLAGS["solver"] | FLAGS["unconverged"]


class Exported(NamedTuple):
    """A surrogate, its library and random cells."""

    surrogate: Surrogate
    library: Library
    start: Any
    physical: Any
    dt: Any


def dex(found: Any, expected: Any) -> Any:
    """Return the largest difference of each cell."""
    return np.abs(np.log10(np.maximum(found, 1e-20)) - np.log10(np.maximum(expected, 1e-20))).max(axis=1)


def export(code: Any, folder: Path, name: str, count: int, **table: Any) -> Exported:
    network = str(write_gas(folder / "gas")) if name == "gas" else name
    surrogate = make_surrogate(network, uclchem_compatible=KINDS[name], **table)
    write_weight_file(folder / "weights.bin", packed_surrogate(surrogate))
    library = Library(code, folder / "weights.bin")
    assert library.opened == 0
    return Exported(surrogate, library, *random_cells(surrogate, Network.read(network), count))


def python_step(made: Exported) -> tuple[Any, Any]:
    """Return abundances after one step of Python, and which cells its solver did."""
    predictor = made.surrogate.predictor
    with torch.inference_mode():
        state = predictor.start(torch.from_numpy(made.start))
        state = predictor.step(state, torch.from_numpy(made.physical), torch.from_numpy(made.dt))
        return predictor.abundance(state).numpy(), state["solver_steps"].numpy() > 0


def rounding_decides(made: Exported) -> Any:
    """Return in which cells Python's own iterations go elsewhere when the start moves by 1e-14: near a kink."""
    emulator: Any = made.surrogate.parts.emulator
    with torch.inference_mode():
        latent = made.surrogate.predictor.start(torch.from_numpy(made.start))["latent"]
        start = emulator.chemistry._abundances(latent, 1e-20 * (1.0 - 1e-9))
    rng, step = np.random.default_rng(2), emulator.chemistry.step
    options = {
        name: emulator.table[name] for name in ("update_tolerance", "least_iterations", "most_iterations")
    }
    moves = [np.zeros(start.shape), *(1e-14 * rng.normal(size=start.shape) for _ in range(3))]
    told = [step.iterate(start * (1.0 + move), made.physical, made.dt, **options) for move in moves]
    apart = np.stack([dex(one.abundances, told[0].abundances) for one in told]).max(axis=0)
    return (apart > 1e-5) | (np.stack([one.code for one in told]) != told[0].code).any(axis=0)


@pytest.fixture(scope="module", params=KINDS)
def exported(request: Any, shared_library: Any, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    return export(shared_library, folder, request.param, 1000, solver_error=0.02)


def test_a_step_of_a_thousand_cells_is_that_of_python(exported: Exported) -> None:
    expected, by_solver = python_step(exported)
    after, flags, error = exported.library.step(exported.physical, exported.dt, exported.start)
    assert not (flags & ~(SOLVER | FLAGS["floor"])).any()
    clear = ~rounding_decides(exported)
    assert clear.mean() > 0.97
    assert np.array_equal((flags & FLAGS["solver"])[clear] > 0, by_solver[clear])
    assert 10 < by_solver.sum() < 700
    off = dex(after, expected)
    assert off[clear & ~by_solver].max() < 1e-4
    # its internal steps are chosen by comparisons, which rounding may turn
    assert np.quantile(off[clear & by_solver], 0.9) < 1e-4
    assert off[clear & by_solver].max() < 0.1
    history = np.repeat(exported.physical[:, None], 2, axis=1)
    trust = exported.surrogate.trust(history, exported.start, exported.dt[:, None])
    np.testing.assert_allclose(error[clear], trust.expected_error[clear, 1], rtol=2e-3)
