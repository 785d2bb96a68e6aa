"""Tests of the emulator around an implicit step, on the shipped network with tracers of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.rate_options import RateOptions
from chemnet.chemistry.solver.implicit_step import ImplicitStep
from chemnet.chemistry.solver.step_conditions import StepConditions
from chemnet.config import load_config
from chemnet.data.description import DataDescription
from chemnet.data.scaling import AbundanceScaling, PhysicalScaling
from chemnet.errors import ConfigError, DataError
from chemnet.models.contract import build_model
from chemnet.models.emulators.implicit.iterate_memory import IterateMemory
from chemnet.models.emulators.implicit.network_step import NO_UPDATE, ImplicitChemistry

DT, ROWS = 3000.0, 7
NAMES = ("Density", "Radfield", "Av", "gasTemp")
SCALING = PhysicalScaling((1e4, 1e-3, 1.0, 10.0), (1e6, 10.0, 100.0, 100.0))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.read("collapse")


@pytest.fixture(scope="module")
def truth(network: Network) -> np.ndarray:
    """One short tracer at constant conditions, `(ROWS, S)`."""
    conditions = {"Density": 2e5, "Radfield": 0.5, "Av": 10.0, "gasTemp": 21.0}
    tracer = {name: np.full(ROWS, value) for name, value in conditions.items()}
    tracer["time"] = DT * np.arange(ROWS)
    return network.solve(tracer, network.standard_abundances, rtol=1e-3).abundances


@pytest.fixture(scope="module")
def description(network: Network) -> DataDescription:
    return DataDescription(
        network.species_names,
        network.elements,
        network.stoichiometry,
        NAMES,
        AbundanceScaling(1e-20),
        SCALING,
        window=ROWS,
        horizon=ROWS - 1,
    )


@pytest.fixture(scope="module")
def batch(truth: np.ndarray) -> dict[str, Tensor]:
    """Two equal windows, scaled."""
    abundance = torch.from_numpy(AbundanceScaling(1e-20).scale(truth)).float().expand(2, -1, -1)
    physical = torch.from_numpy(SCALING.scale(np.array([2e5, 0.5, 10.0, 21.0]))).float()
    return {
        "abundance": abundance,
        "physical": physical.expand(2, ROWS - 1, -1),
        "dt": torch.full((2, ROWS - 1), DT),
    }


@pytest.fixture
def built(description: DataDescription) -> Callable[..., Any]:
    """Return a function that builds a small emulator with changes to its table."""

    def build(**changes: Any) -> Any:
        table = {"network": "collapse", "hidden": 16, **changes}
        keys = {f"model.ImplicitEmulator.{key}": value for key, value in table.items()}
        torch.manual_seed(1)
        config = load_config().replace({"model.name": "ImplicitEmulator", **keys})
        model: Any = build_model(config, description)
        model.time_step.usual.fill_(DT)
        return model

    return build


def test_the_iterate_is_that_of_the_implicit_step(
    built: Callable[..., Any], network: Network, truth: np.ndarray, batch: dict[str, Tensor]
) -> None:
    model = built(iterations=3)
    iterates = model.iterate(batch["abundance"][:1, 3], batch["physical"][:1, 3], batch["dt"][:1, 3])
    step = ImplicitStep.of_network(network)
    cells = StepConditions([[2e5, 0.5, 10.0, 21.0]], DT)
    told = step.iterate(np.clip(truth[3:4], 1e-20, 1.0), cells, iterations=3)
    expected = np.log10(np.clip(told.abundances, 1e-20, 1.0))
    # scaled abundances are float32: 1e-6 dex, which the balance of fast species may enlarge
    assert 20.0 * (iterates.abundance.numpy() - 1.0) == pytest.approx(expected, abs=1e-3)
    assert iterates.iterations.tolist() == [3.0]
    assert iterates.update.numpy() == pytest.approx(told.update, abs=1e-4)


def test_cells_are_independent_of_their_batch(built: Callable[..., Any], batch: dict[str, Tensor]) -> None:
    model = built().eval()
    rows = batch["abundance"][0, :3]
    physical, dt = batch["physical"][0, :3], batch["dt"][0, :3]
    together = model.advance(model.begin(rows), physical, dt)
    for i in range(3):
        alone = model.advance(model.begin(rows[i : i + 1]), physical[i : i + 1], dt[i : i + 1])
        for name, values in alone.items():
            torch.testing.assert_close(values[0], together[name][i], atol=1e-5, rtol=1e-5)


def test_training_lowers_the_error_of_a_step(built: Callable[..., Any], batch: dict[str, Tensor]) -> None:
    model = built()
    model.before_training(_Training(batch))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    first = float(model.train_batch(batch)[1]["mean_error"])
    for _ in range(150):
        loss, terms = model.train_batch(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(terms["mean_error"]) < 0.5 * first


def test_a_gate_that_is_open_passes_the_iterate_on(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    model = built()
    with torch.no_grad():
        model.correction.last.weight.zero_()
        bias = model.correction.last.bias.view(4, -1)
        bias[2], bias[3] = 30.0, 0.0
    before, physical, dt = batch["abundance"][0, 4:6], batch["physical"][0, 4:6], batch["dt"][0, 4:6]
    iterates = model.iterate(before, physical, dt)
    after, _ = model.correct(before, iterates, physical, dt)
    near = (20.0 * (iterates.abundance - before)).abs() < 0.05
    assert (20.0 * (after - iterates.abundance)).abs()[near].max() < 1e-3


def test_the_solver_does_what_the_iterations_cannot(
    built: Callable[..., Any], truth: np.ndarray, batch: dict[str, Tensor]
) -> None:
    # one iteration never gets below such an update
    model = built(iterations=1, update_tolerance=1e-9, solver_rtol=1e-4).eval()
    start, physical, dt = batch["abundance"][:1, 0], batch["physical"][:1, 0], batch["dt"][:1, 0]
    state = model.advance(model.begin(start), physical, dt)
    # sub-steps do not resolve a cold start
    assert state["divided_steps"].tolist() == [0.0]
    assert state["solver_steps"].tolist() == [1.0]
    dex = 20.0 * (state["latent"][0] - batch["abundance"][0, 1]).abs()
    assert dex.mean() < 0.01


def test_a_step_that_is_expected_to_be_wrong_is_integrated_by_sub_steps_or_the_solver(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    rows = (batch["abundance"][:1, 3], batch["physical"][:1, 3], batch["dt"][:1, 3])
    limits = {"divided": {"solver_error": 1e-9}, "solver": {"solver_error": 1e-9, "sub_steps": 0}, "none": {}}
    for by, table in limits.items():
        model = built(**({"solver_error": 1e3} | table)).eval()
        state = model.advance(model.begin(rows[0]), *rows[1:])
        for kind in ("divided", "solver"):
            assert state[f"{kind}_steps"].tolist() == [float(kind == by)]
        if by != "none":
            assert (20.0 * (state["latent"][0] - batch["abundance"][0, 4]).abs()).mean() < 0.01
            assert float(state["expected_step_error"].detach()) < 0.02


def test_what_neither_can_do_is_expected_to_be_wrong(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    model = built().eval()
    # no reaction of the network holds at such a temperature
    hot = batch["physical"][:1, 0].clone()
    hot[0, 3] = 5.0
    state = model.advance(model.begin(batch["abundance"][:1, 0]), hot, batch["dt"][:1, 0])
    assert state["last_update"].tolist() == [NO_UPDATE]
    assert state["expected_step_error"].tolist() == [NO_UPDATE]
    assert bool(torch.isfinite(state["latent"]).all())


def test_no_iterations_need_no_network(built: Callable[..., Any], batch: dict[str, Tensor]) -> None:
    model = built(iterations=0, network=False).eval()
    assert model(batch).shape == (2, ROWS - 1, batch["abundance"].shape[-1])


def test_a_missing_network_is_refused_with_its_key(built: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"model\.ImplicitEmulator\.network"):
        built(network=False)


def test_a_network_of_other_species_is_refused(built: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="species"):
        built(network="collapse_bulk")


def test_a_network_with_other_rates_than_the_data_is_refused(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    model = built()
    model.before_training(_Training(batch, first=3))
    other = model.chemistry.network.with_rates(RateOptions(scale={"CRP": 10.0, "LH": 0.1}))
    model.chemistry = ImplicitChemistry(other, False, model.data)
    with pytest.raises(
        DataError, match=r"did not make these data: .* misses the next row by mean \d"
    ) as caught:
        model.before_training(_Training(batch, first=3))
    assert "model.ImplicitEmulator.network" in (caught.value.hint or "")


def test_other_quirks_than_the_data_were_made_with_are_refused_with_their_key(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    with pytest.raises(DataError, match="did not make these data") as caught:
        built(uclchem_compatible=True).before_training(_Training(batch, first=3))
    assert "model.ImplicitEmulator.uclchem_compatible=false" in (caught.value.hint or "")


def test_other_work_for_a_step_leaves_the_emulator_as_it_is(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    model = built().eval()
    rows = batch["abundance"][:1, 3], batch["physical"][:1, 3], batch["dt"][:1, 3]
    once = model.spending(iterations=1, update_tolerance=10.0)
    iterates = once.iterate(*rows)
    assert iterates.iterations.tolist() == [1.0]
    assert model.iterate(*rows).iterations.item() > 1.0
    alone = once.uncorrected()
    state = alone.advance(alone.begin(rows[0]), *rows[1:])
    torch.testing.assert_close(state["latent"], iterates.abundance.clamp(0.0, 1.0))
    assert state["expected_step_error"].item() == 0.0
    assert model.correction is once.correction is not alone.correction


def test_that_steps_stay_on_the_cpu_is_said_once_per_other_device(
    built: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    chemistry = built().chemistry
    for name in ("cpu", "cuda", "cuda", "cuda:1"):
        chemistry.tell_device(torch.device(name))
    told = [record.getMessage() for record in caplog.records]
    assert ["cuda," in text for text in told] == [True, False]
    assert all("general.device=cpu" in text for text in told)


def test_saved_weights_predict_the_same(
    built: Callable[..., Any], batch: dict[str, Tensor], tmp_path: Path
) -> None:
    model = built().eval()
    model.save(tmp_path / "weights.safetensors")
    again = built().eval()
    again.load_weights(tmp_path / "weights.safetensors")
    torch.testing.assert_close(again(batch), model(batch))


def test_iterates_are_computed_once(built: Callable[..., Any], batch: dict[str, Tensor]) -> None:
    model, rows = built(iterations=2), []

    def compute(before: Tensor, physical: Tensor, dt: Tensor) -> Any:
        rows.append(len(before))
        return model.iterate(before, physical, dt)

    memory = IterateMemory(compute)
    given = (batch["abundance"][:, :4].flatten(0, 1), batch["physical"][:, :4].flatten(0, 1))
    first = memory(*given, batch["dt"][:, :4].flatten())
    second = memory(*given, batch["dt"][:, :4].flatten())
    assert rows == [4]  # the two windows are equal
    torch.testing.assert_close(first.abundance, second.abundance)
    torch.testing.assert_close(first.update, model.iterate(*given, batch["dt"][:, :4].flatten()).update)


class _Training:
    """The training split as `before_training` sees it."""

    def __init__(self, batch: dict[str, Tensor], first: int = 0) -> None:
        self.rows = {
            "abundance": batch["abundance"][0, first:-1],
            "physical": batch["physical"][0, first:],
            "dt": batch["dt"][0, first:],
        }

    def row_batches(self) -> Any:
        yield self.rows


def test_cosmic_rays_and_dust_of_the_data_drive_the_step_and_the_solver(
    network: Network, description: DataDescription, batch: dict[str, Tensor]
) -> None:
    names = (*NAMES, "zeta", "dustTemp")
    scaling = PhysicalScaling((*SCALING.minimum, 1.0, 10.0), (*SCALING.maximum, 1e3, 100.0))
    chemistry = ImplicitChemistry(
        network, False, replace(description, physical_names=names, physical_scaling=scaling)
    )
    rows = np.array([[2e5, 0.5, 10.0, 21.0, *rest] for rest in ((1.0, 21.0), (1e3, 21.0), (1.0, 40.0))])
    before = batch["abundance"][0, 2].expand(3, -1)
    physical, dt = torch.from_numpy(scaling.scale(rows)).float(), torch.full((3,), DT)
    iterated = chemistry.iterate(before, physical, dt).abundance
    solved, succeeded = chemistry.solve(before, physical, dt, 1, {"rtol": 1e-3})
    assert bool(succeeded.all())
    ion, ice = network.index("HCO+"), network.index("#CO")
    for after in (iterated, solved):
        decades = 20.0 * (after - after[0]).abs()
        assert decades[1, ion] > 0.3
        assert decades[2, ice] > 0.3


def test_column_densities_are_refused_rather_than_ignored(
    network: Network, description: DataDescription
) -> None:
    names = (*NAMES, "N_H2")
    scaling = PhysicalScaling((*SCALING.minimum, 1e15), (*SCALING.maximum, 1e23))
    columns = replace(description, physical_names=names, physical_scaling=scaling)
    with pytest.raises(ConfigError, match="column density N_H2"):
        ImplicitChemistry(network, False, columns)


def test_grains_and_factors_of_rates_change_the_step(
    built: Callable[..., Any], batch: dict[str, Tensor]
) -> None:
    rows = (batch["abundance"][:1, 3], batch["physical"][:1, 3], batch["dt"][:1, 3])
    ice = list(built().data.species).index("#CO")
    plain, dusty, frozen = (
        20.0 * float(built(**changes).iterate(*rows).abundance[0, ice])
        for changes in ({}, {"grain": {"dust_to_gas": 0.1}}, {"rate_scale": {"FREEZE": 0.0}})
    )
    assert dusty > plain + 0.01 > frozen + 0.02
