"""What was exported is what Python computes, and no input makes it say a wrong number in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_library import FLAGS, Library
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.export.bundle import write_bundle
from chemnet.export.reference import reference_cells
from chemnet.surrogate.predictor import Parts
from chemnet.surrogate.surrogate import Surrogate

NASTY = [0.0, -1.0, np.nan, np.inf, -np.inf, 1e-300, 1e300, 1e-20, 0.5]


def dex(found: Any, expected: Any) -> float:
    return float(np.abs(np.log10(np.maximum(found, 1e-20)) - np.log10(np.maximum(expected, 1e-20))).max())


@pytest.fixture(scope="module")
def library(shared_library: Any, bundle: Path) -> Library:
    return Library(shared_library, bundle / "weights.bin")


@pytest.fixture(scope="module")
def cells(surrogate: Surrogate) -> Any:
    return reference_cells(surrogate, n_cells=200, n_steps=20)


def test_a_step_and_a_rollout_are_those_of_python(library: Library, cells: Any) -> None:
    after, flags, _ = library.step(cells.physical, cells.dt[:, 0], cells.start)
    rolled, _ = library.rollout(cells.physical, np.ascontiguousarray(cells.dt[:, 0]), cells.start, 20)
    assert not flags.any()
    assert dex(after, cells.step) < 1e-4
    assert dex(rolled, cells.rollout) < 1e-4


def test_the_expected_error_is_that_of_python(library: Library, cells: Any, surrogate: Surrogate) -> None:
    _, _, found = library.step(cells.physical, cells.dt[:, 0], cells.start)
    np.testing.assert_allclose(found, cells.expected_error, rtol=1e-3)


@pytest.mark.parametrize("name", ["DirectEmulator", "DirectRelaxation", "LatentRelaxation", "LatentRNN"])
@pytest.mark.parametrize("use_dt", [False, True])
def test_every_form_of_emulator_is_that_of_python(
    shared_library: Any, make_emulator: Any, surrogate: Surrogate, tmp_path: Path, name: str, use_dt: bool
) -> None:
    parts: Parts = make_emulator(name, use_dt)
    made = Surrogate(parts, surrogate.domain, name, {})
    write_bundle(made, tmp_path / "library")
    reference = reference_cells(made, n_steps=6)
    exported = Library(shared_library, tmp_path / "library" / "weights.bin")
    dt = np.ascontiguousarray(reference.dt[:, 0])
    rolled, _ = exported.rollout(reference.physical, dt, reference.start, 6)
    assert dex(reference.rollout, reference.start) > 1e-3
    assert dex(rolled, reference.rollout) < 2e-4


def test_each_element_keeps_its_total(library: Library, cells: Any, surrogate: Surrogate) -> None:
    after, _, _ = library.step(cells.physical, cells.dt[:, 0], cells.start)
    totals = cells.start @ surrogate.data.stoichiometry
    np.testing.assert_allclose(after @ surrogate.data.stoichiometry, totals, rtol=1e-9)


def test_charges_balance_as_in_python(shared_library: Any, surrogate: Surrogate, tmp_path: Path) -> None:
    made = Surrogate(surrogate.parts, surrogate.domain, "neutral", {}).neutral()
    write_bundle(made, tmp_path / "library")
    exported = Library(shared_library, tmp_path / "library" / "weights.bin")
    reference = reference_cells(made, n_cells=20)
    after, flags, _ = exported.step(reference.physical, reference.dt[:, 0], reference.start)
    charge = charges(made.species)
    assert not flags.any()
    assert (np.abs(after @ charge) <= 1e-8 * (after @ charge.clip(0))).all()
    assert dex(after, reference.step) < 1e-4


def test_stated_totals_are_met_as_in_python(library: Library, cells: Any, surrogate: Surrogate) -> None:
    rng = np.random.default_rng(3)
    totals = cells.start @ surrogate.data.stoichiometry
    mixed = cells.start * rng.uniform(0.8, 1.2, cells.start.shape)
    mixed[1, 0], totals[2, 0] = np.nan, -1.0
    found, flags = mixed.copy(), np.zeros(len(mixed), np.int32)
    assert library.call("conserve", len(mixed), totals, found, flags) == 0
    assert flags[1] == flags[2] == FLAGS["bad"]
    assert np.isnan(found[1:3]).all()
    good = [0, *range(3, len(mixed))]
    assert not flags[good].any()
    np.testing.assert_allclose(found[good] @ surrogate.data.stoichiometry, totals[good], rtol=1e-9)
    assert dex(found[good], surrogate.conserve(mixed[good], totals[good])) < 1e-5


def test_a_state_that_was_written_and_read_goes_on_bit_for_bit(library: Library, cells: Any) -> None:
    dt = np.ascontiguousarray(cells.dt[:, 0])
    whole, _ = library.rollout(cells.physical, dt, cells.start, 10)
    _, half = library.rollout(cells.physical, dt, cells.start, 4)
    restored = np.frombuffer(half.tobytes()).reshape(half.shape).copy()
    flags, after = np.zeros(len(half), np.int32), np.zeros_like(cells.start)
    for _ in range(6):
        library.call("advance", len(half), cells.physical, dt, restored, flags)
    library.call("read", len(half), restored, after, flags, None)
    assert np.array_equal(after, whole)


def test_cells_do_not_depend_on_their_neighbours(library: Library, cells: Any) -> None:
    together, _, _ = library.step(cells.physical, cells.dt[:, 0], cells.start)
    alone, _, _ = library.step(cells.physical[7:8], cells.dt[7:8, 0], cells.start[7:8])
    assert dex(alone, together[7:8]) < 1e-5


def test_latents_advance_as_the_rollout_does(library: Library, cells: Any, surrogate: Surrogate) -> None:
    n, dt = len(cells.start), np.ascontiguousarray(cells.dt[:, 0])
    latents, flags = np.zeros((n, surrogate.latent_dim)), np.zeros(n, np.int32)
    assert library.call("encode", n, cells.start, latents, flags) == 0
    np.testing.assert_allclose(latents, surrogate.encode(cells.start), atol=1e-5)
    assert library.call("latent_step", n, cells.physical, dt, latents, flags) == 0
    history = np.repeat(cells.physical[:, None], 2, axis=1)
    expected = surrogate.latent_emulate(history, surrogate.encode(cells.start), cells.dt[:, :1])[:, 1]
    np.testing.assert_allclose(latents, expected, atol=1e-5)


def test_what_leaves_the_trained_ranges_is_flagged(
    library: Library, cells: Any, surrogate: Surrogate
) -> None:
    physical, dt = cells.physical[:4].copy(), cells.dt[:4, 0].copy()
    physical[1, 0] *= 1e6
    dt[2] *= 100.0
    _, flags, error = library.step(physical, dt, cells.start[:4])
    assert flags.tolist() == [0, FLAGS["physical"], FLAGS["dt"], 0]
    assert np.isinf(error[[1, 2]]).all()
    assert np.isfinite(error[[0, 3]]).all()


@settings(max_examples=60)
@given(
    column=st.integers(0, 1000),
    value=st.sampled_from(NASTY),
    where=st.sampled_from(["physical", "dt", "abundances"]),
)
def test_a_bad_number_is_flagged_and_its_cell_is_nan(
    library: Library, cells: Any, column: int, value: float, where: str
) -> None:
    inputs = {
        "physical": cells.physical[:3].copy(),
        "dt": cells.dt[:3, :1].copy(),
        "abundances": cells.start[:3].copy(),
    }
    place = column % inputs[where].shape[1]
    inputs[where][1, place] = value
    after, flags, error = library.step(inputs["physical"], inputs["dt"][:, 0], inputs["abundances"])
    is_bad = bool(flags[1] & (FLAGS["bad"] | FLAGS["unconserved"]))
    assert np.isnan(after[1]).all() == is_bad
    assert is_bad or np.isfinite(after[1]).all()
    positive = where != "abundances"
    if not np.isfinite(value) or value < 0.0 or (positive and value == 0.0):
        assert flags[1] & FLAGS["bad"]
        assert np.isnan(error[1])
    clean, _, _ = library.step(cells.physical[:3], cells.dt[:3, 0], cells.start[:3])
    assert np.array_equal(after[[0, 2]], clean[[0, 2]])


def test_ten_thousand_random_cells_crash_nothing(library: Library, cells: Any) -> None:
    rng = np.random.default_rng(5)
    n = 10_000
    start = 10.0 ** rng.uniform(-25, 1, (n, cells.start.shape[1]))
    physical = 10.0 ** rng.uniform(-30, 30, (n, cells.physical.shape[1]))
    dt = 10.0 ** rng.uniform(-10, 20, n)
    after, flags, _ = library.step(physical, dt, start)
    wrong = (flags & (FLAGS["bad"] | FLAGS["unconserved"])) > 0
    assert np.isnan(after[wrong]).all()
    assert np.isfinite(after[~wrong]).all()
    assert (flags != 0).all()


@pytest.mark.parametrize("place", [0.02, 0.3, 0.9])
def test_damaged_weights_are_refused(shared_library: Any, bundle: Path, tmp_path: Path, place: float) -> None:
    content = bytearray((bundle / "weights.bin").read_bytes())
    content[int(place * len(content))] ^= 1
    (tmp_path / "weights.bin").write_bytes(content)
    refused = Library(shared_library, tmp_path / "weights.bin")
    assert refused.opened != 0
    assert b"export" in shared_library.chemnet_error_text(refused.opened)


@pytest.mark.parametrize("kept", [0, 10, 64, 1000])
def test_cut_weights_are_refused(shared_library: Any, bundle: Path, tmp_path: Path, kept: int) -> None:
    (tmp_path / "weights.bin").write_bytes((bundle / "weights.bin").read_bytes()[:kept])
    assert Library(shared_library, tmp_path / "weights.bin").opened in (2, 4)


def test_weights_of_another_bundle_are_told_apart(library: Library, bundle: Path) -> None:
    import tomllib

    digest = tomllib.loads((bundle / "surrogate.toml").read_text())["digest"]
    check = library.code.chemnet_check_digest
    assert check(library.handle, digest.encode()) == 0
    assert check(library.handle, b"0" * 32) == 8
