"""The library's implicit step, its correction and its solver are those of Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from exported_library import FLAGS, Library
from hypothesis import given, settings
from hypothesis import strategies as st
from made_implicit import make_surrogate, random_cells, write_gas

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.errors import ModelError
from chemnet.export.library_arrays import packed_surrogate
from chemnet.export.reference import reference_cells
from chemnet.export.weight_file import write_weight_file
from chemnet.surrogate.surrogate import Surrogate

# uclchem_compatible by network: gas alone, two phases, three; and how many cells
KINDS = {"gas": False, "collapse": False, "collapse_bulk": True}
COUNTS = {"gas": 1000, "collapse": 1000, "collapse_bulk": 300}
INTEGRATED = FLAGS["substeps"] | FLAGS["solver"] | FLAGS["unconverged"]


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
    """Return abundances after one step of Python, and the flag of what integrated each cell, or 0."""
    predictor = made.surrogate.predictor
    with torch.inference_mode():
        state = predictor.start(torch.from_numpy(made.start))
        state = predictor.step(state, torch.from_numpy(made.physical), torch.from_numpy(made.dt))
        by = FLAGS["substeps"] * state["divided_steps"] + FLAGS["solver"] * state["solver_steps"]
        return predictor.abundance(state).numpy(), by.numpy().astype(int)


def rounding_decides(made: Exported) -> Any:
    """Return in which cells Python's iterations go elsewhere when the start moves by 1e-14: near a kink."""
    emulator: Any = made.surrogate.parts.emulator
    with torch.inference_mode():
        latent = made.surrogate.predictor.start(torch.from_numpy(made.start))["latent"]
        start = emulator.chemistry._abundances(latent, 1e-20 * (1.0 - 1e-9))
    rng, step = np.random.default_rng(2), emulator.chemistry.step
    options = {
        name: emulator.table[name] for name in ("update_tolerance", "least_iterations", "most_iterations")
    }
    moves = [np.zeros(start.shape), *(1e-14 * rng.normal(size=start.shape) for _ in range(3))]
    cells = StepConditions(made.physical, made.dt)
    told = [step.iterate(start * (1.0 + move), cells, **options) for move in moves]
    apart = np.stack([dex(one.abundances, told[0].abundances) for one in told]).max(axis=0)
    return (apart > 1e-5) | (np.stack([one.code for one in told]) != told[0].code).any(axis=0)


@pytest.fixture(scope="module", params=KINDS)
def exported(request: Any, shared_library: Any, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp(request.param)
    return export(shared_library, folder, request.param, COUNTS[request.param], solver_error=0.03)


def test_a_step_of_random_cells_is_that_of_python(exported: Exported) -> None:
    expected, by = python_step(exported)
    after, flags, error = exported.library.step(exported.physical, exported.dt, exported.start)
    assert not (flags & ~(INTEGRATED | FLAGS["floor"])).any()
    clear = ~rounding_decides(exported)
    assert clear.mean() > 0.97
    assert np.array_equal((flags & INTEGRATED)[clear], by[clear])
    assert 0.01 < (by > 0).mean() < 0.6
    off = dex(after, expected)
    assert off[clear & (by == 0)].max() < 1e-4
    assert np.quantile(off[clear & (by == FLAGS["substeps"])], 0.95) < 1e-4
    # its internal steps are chosen by comparisons, which rounding may turn
    assert np.median(off[clear & (by == FLAGS["solver"])]) < 1e-4
    assert off[clear].max() < 0.1
    some = np.flatnonzero(clear)[:100]
    history = np.repeat(exported.physical[some, None], 2, axis=1)
    trust = exported.surrogate.trust(history, exported.start[some], exported.dt[some, None])
    np.testing.assert_allclose(error[some], trust.expected_error[:, 1], rtol=2e-3)


def test_each_element_keeps_its_total(exported: Exported) -> None:
    after, _, _ = exported.library.step(exported.physical[:50], exported.dt[:50], exported.start[:50])
    atoms = exported.surrogate.data.stoichiometry
    np.testing.assert_allclose(after @ atoms, exported.start[:50] @ atoms, rtol=1e-9)


def test_a_rollout_is_that_of_python(exported: Exported) -> None:
    start, physical, dt = exported.start[:24], exported.physical[:24], np.full(24, 3000.0)
    history = np.repeat(physical[:, None], 41, axis=1)
    expected = exported.surrogate.emulate(history, start, 3000.0, rows=[40])[:, 0]
    after, _ = exported.library.rollout(physical, dt, start, 40)
    assert np.quantile(dex(after, expected), 0.8) < 1e-3
    assert dex(after, expected).max() < 0.1


def test_a_state_that_was_written_and_read_goes_on_bit_for_bit(exported: Exported) -> None:
    start, physical, dt = exported.start[:9], exported.physical[:9].copy(), np.full(9, 3000.0)
    whole, _ = exported.library.rollout(physical, dt, start, 6)
    _, half = exported.library.rollout(physical, dt, start, 2)
    restored = np.frombuffer(half.tobytes()).reshape(half.shape).copy()
    flags, after, error = np.zeros(9, np.int32), np.zeros_like(start), np.zeros(9)
    for _ in range(4):
        exported.library.call("advance", 9, physical, dt, restored, flags)
    exported.library.call("read", 9, restored, after, flags, error)
    assert np.array_equal(after, whole)
    history = np.repeat(physical[:, None], 7, axis=1)
    trust = exported.surrogate.trust(history, start, 3000.0, rows=[6])
    assert np.median(np.abs(error / trust.expected_error[:, 0] - 1.0)) < 1e-2


def test_cells_do_not_depend_on_their_neighbours(exported: Exported) -> None:
    together, _, _ = exported.library.step(exported.physical[:20], exported.dt[:20], exported.start[:20])
    for cell in (0, 7, 19):
        part = slice(cell, cell + 1)
        alone, _, _ = exported.library.step(exported.physical[part], exported.dt[part], exported.start[part])
        assert dex(alone, together[part]).max() < 1e-4


def test_latents_advance_without_their_totals(exported: Exported) -> None:
    library, part = exported.library, slice(0, 12)
    start, physical, dt = exported.start[part], exported.physical[part].copy(), exported.dt[part].copy()
    latents, flags = np.zeros(start.shape), np.zeros(12, np.int32)
    assert library.call("encode", 12, start, latents, flags) == 0
    assert library.call("latent_step", 12, physical, dt, latents, flags) == 0
    history = np.repeat(physical[:, None], 2, axis=1)
    before = exported.surrogate.encode(start)
    expected = exported.surrogate.latent_emulate(history, before, dt[:, None])[:, 1]
    assert np.median(np.abs(latents - expected).max(axis=1)) < 1e-5


@pytest.mark.slow
def test_the_shipped_uclchem_is_that_of_python(shared_library: Any, tmp_path: Path) -> None:
    surrogate = Surrogate.load("uclchem")
    write_weight_file(tmp_path / "weights.bin", packed_surrogate(surrogate))
    library, cells = Library(shared_library, tmp_path / "weights.bin"), reference_cells(surrogate, 200, 10)
    dt = np.ascontiguousarray(cells.dt[:, 0])
    after, flags, error = library.step(cells.physical, dt, cells.start)
    assert 0 < ((flags & INTEGRATED) > 0).sum() < 20
    assert np.quantile(dex(after, cells.step), 0.98) < 1e-4
    assert dex(after, cells.step).max() < 1e-3
    np.testing.assert_allclose(error, cells.expected_error, rtol=1e-3)
    rolled, _ = library.rollout(cells.physical, dt, cells.start, 10)
    assert np.quantile(dex(rolled, cells.rollout), 0.98) < 1e-3


@pytest.fixture(scope="module")
def gas(shared_library: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that exports the gas alone with a changed table."""

    def make(**table: Any) -> Exported:
        return export(shared_library, tmp_path_factory.mktemp("gas"), "gas", 60, **table)

    return make


@pytest.mark.parametrize(
    "table",
    [
        {"iterations": 2},
        {"iterations": 0},
        {"least_iterations": 1, "most_iterations": 3, "update_tolerance": 1e-3},
        {"further": ("zeta", "dustTemp"), "solver_error": 0.01},
        {"sub_steps": 0, "solver_error": 0.01},
    ],
    ids=["fixed", "none", "few", "zeta and dust", "solver alone"],
)
def test_every_setting_is_that_of_python(gas: Any, table: dict[str, Any]) -> None:
    made = gas(**table)
    expected, by = python_step(made)
    after, flags, _ = made.library.step(made.physical, made.dt, made.start)
    assert np.array_equal(flags & INTEGRATED, by)
    assert dex(after, expected)[by == 0].max() < 1e-4
    assert dex(expected, made.start).max() > 1e-3


def test_a_cell_that_neither_can_do_is_flagged_and_expected_to_be_wrong(
    gas: Any, shared_library: Any, tmp_path: Path
) -> None:
    made = gas()
    arrays = {**packed_surrogate(made.surrogate), "step.temperatures": np.array([0.0, 30.0])}
    write_weight_file(tmp_path / "weights.bin", arrays)
    after, flags, error = Library(shared_library, tmp_path / "weights.bin").step(
        made.physical, made.dt, made.start
    )
    hot = made.physical[:, 3] > 30.0
    assert 0 < hot.sum() < len(hot)
    assert (flags & FLAGS["unconverged"] > 0).tolist() == hot.tolist()
    assert np.isfinite(after).all()
    assert error[hot].min() > error[~hot].max()


@settings(max_examples=60)
@given(
    column=st.integers(0, 1000),
    value=st.sampled_from([0.0, -1.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 1e-20, 0.5]),
    where=st.sampled_from(["physical", "dt", "abundances"]),
)
def test_a_bad_number_is_flagged_and_leaves_its_neighbours_alone(
    exported: Exported, column: int, value: float, where: str
) -> None:
    inputs = {
        "physical": exported.physical[:3].copy(),
        "dt": exported.dt[:3, None].copy(),
        "abundances": exported.start[:3].copy(),
    }
    clean, _, _ = exported.library.step(inputs["physical"], inputs["dt"][:, 0], inputs["abundances"])
    inputs[where][1, column % inputs[where].shape[1]] = value
    after, flags, error = exported.library.step(inputs["physical"], inputs["dt"][:, 0], inputs["abundances"])
    is_bad = bool(flags[1] & (FLAGS["bad"] | FLAGS["unconserved"]))
    assert np.isnan(after[1]).all() == is_bad
    assert is_bad or np.isfinite(after[1]).all()
    if not np.isfinite(value) or value < 0.0 or (where != "abundances" and value == 0.0):
        assert flags[1] & FLAGS["bad"]
        assert np.isnan(error[1])
    assert dex(after[[0, 2]], clean[[0, 2]]).max() < 1e-4


def test_a_thousand_nonsensical_cells_crash_nothing(gas: Any) -> None:
    made, rng = gas(solver_error=0.1), np.random.default_rng(5)
    start = made.start[rng.integers(0, 60, 300)] * 10.0 ** rng.normal(0.0, 0.03, (300, made.start.shape[1]))
    start[:60] = 10.0 ** rng.uniform(-25, 1, (60, made.start.shape[1]))
    physical = 10.0 ** rng.uniform(-10, 10, (300, 4))
    after, flags, _ = made.library.step(physical, 10.0 ** rng.uniform(-8, 8, 300), start)
    wrong = (flags & (FLAGS["bad"] | FLAGS["unconserved"])) > 0
    assert np.isnan(after[wrong]).all()
    assert np.isfinite(after[~wrong]).all()
    assert (flags[:60] != 0).all()


def test_positions_that_point_elsewhere_are_refused(gas: Any, shared_library: Any, tmp_path: Path) -> None:
    arrays = packed_surrogate(gas().surrogate)
    whole = [
        name for name, values in arrays.items() if not isinstance(values, str) and values.dtype == np.int64
    ]
    for name in whole:
        if not name.startswith(("step.", "implicit.")) or not arrays[name].size:
            continue
        for wrong in (-2, 2**40):
            changed = arrays[name].copy()
            changed.flat[-1 if name != "step.problem.rates.integers" else 0] = wrong
            write_weight_file(tmp_path / "weights.bin", {**arrays, name: changed})
            assert Library(shared_library, tmp_path / "weights.bin").opened == 4, name
        cut = {key: values for key, values in arrays.items() if key != name}
        write_weight_file(tmp_path / "weights.bin", cut)
        assert Library(shared_library, tmp_path / "weights.bin").opened == 4, name


def test_a_flipped_bit_of_the_network_is_refused(gas: Any, shared_library: Any, tmp_path: Path) -> None:
    write_weight_file(tmp_path / "weights.bin", packed_surrogate(gas().surrogate))
    content = bytearray((tmp_path / "weights.bin").read_bytes())
    for place in (0.2, 0.5, 0.8, 0.999):
        flipped = content.copy()
        flipped[int(place * len(content))] ^= 16
        (tmp_path / "weights.bin").write_bytes(flipped)
        assert Library(shared_library, tmp_path / "weights.bin").opened == 4


def test_a_network_with_expressions_is_refused(gas: Any) -> None:
    surrogate = gas().surrogate
    emulator: Any = surrogate.parts.emulator
    emulator.chemistry.step._expressions = lambda conditions: np.zeros((len(conditions), 1))
    with pytest.raises(ModelError, match="KROME"):
        packed_surrogate(surrogate)
