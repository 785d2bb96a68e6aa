"""An emulator around an implicit step, from the verbs to a saved surrogate; the dial of accuracy."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.stoichiometry import charges
from chemnet.config import ConfigDict, load_config
from chemnet.data.preprocessed import PreprocessedData
from chemnet.errors import ModelError
from chemnet.evaluation.error_against_cost import error_against_cost
from chemnet.evaluation.score_tracers import Judge, Options
from chemnet.surrogate.loading import accuracies_of
from chemnet.surrogate.surrogate import Surrogate


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> ConfigDict:
    """Six short tracers of the shipped network, and an emulator that has seen them for one epoch."""
    from chemnet.verbs.preprocess import Preprocess
    from chemnet.verbs.simulate import Simulate
    from chemnet.verbs.train import Train

    changes: dict[str, Any] = {
        "general.results_dir": str(tmp_path_factory.mktemp("results")),
        "simulate": {"n_tracers": 6, "n_steps": 8, "end_time": 2e4, "rtol": 1e-3, "workers": 1},
        "preprocess": {"window": 2, "stride": 1, "train_size": 0.5, "validate_size": 0.3, "test_size": 0.2},
        "model": {"name": "ImplicitEmulator", "ImplicitEmulator": {"network": "collapse", "hidden": 16}},
        "train.epochs": 2,
        "mlflow.enabled": False,
    }
    config = load_config().replace(dict(_flat(changes)))
    Simulate(config).run()
    Preprocess(config).run()
    Train(config).run()
    return config


@pytest.fixture(scope="module")
def surrogate(chain: ConfigDict) -> Surrogate:
    return Surrogate.load("ImplicitEmulator", chain)


@pytest.fixture(scope="module")
def cells(chain: ConfigDict) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and first abundances of a training tracer: inside the trained ranges."""
    split = _preprocessed(chain).split("train")
    return split.raw_physical(slice(0, 8))[None], split.raw_abundance(slice(0, 1))


def test_it_predicts_with_elements_kept_and_says_how_far_it_is_trusted(
    surrogate: Surrogate, cells: tuple[np.ndarray, np.ndarray]
) -> None:
    predicted, trust = surrogate.emulate_with_trust(*cells)
    totals = predicted.astype(float) @ surrogate.data.stoichiometry
    np.testing.assert_allclose(totals, np.broadcast_to(totals[:, :1], totals.shape), rtol=1e-5)
    # and the next step begins with them
    restarted = surrogate.emulate(cells[0][:, 3:], predicted[:, 3])
    np.testing.assert_allclose(np.log10(restarted[:, 1:]), np.log10(predicted[:, 4:]), atol=0.02)
    assert {"last_update", "expected_step_error"} <= set(surrogate.judgement.calibration.indicators)
    assert np.isfinite(trust.expected_error).all()


def test_charges_balance_in_the_state_as_they_do_in_the_data(
    surrogate: Surrogate, cells: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    assert surrogate.is_neutral
    assert Surrogate.load(surrogate.save(tmp_path / "saved")).is_neutral
    predicted = surrogate.emulate(*cells)[:, 1:].astype(float)
    charge = charges(surrogate.species)
    assert np.abs(predicted @ charge).max() < 1e-6 * (predicted @ np.maximum(charge, 0.0)).min()


def test_a_saved_one_brings_its_network_along(
    surrogate: Surrogate, cells: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    saved = surrogate.save(tmp_path / "here").rename(tmp_path / "there")
    loaded: Any = Surrogate.load(saved)
    own = Network.read(saved / "network")
    assert loaded.components.emulator.chemistry.network.reactions == own.reactions
    np.testing.assert_array_equal(loaded.emulate(*cells), surrogate.emulate(*cells))


@pytest.fixture
def dial(surrogate: Surrogate, tmp_path: Path) -> Path:
    """A surrogate with two settings, which share their weights."""
    folder = tmp_path / "mine"
    surrogate.save(folder / "balanced")
    (folder / "exact").mkdir()
    text = (folder / "balanced" / "surrogate.toml").read_text()
    told = text.replace('network = "network"', 'network = "../balanced/network"')
    told = told.replace("solver_error = false", "solver_error = 1e-6")
    told = told.replace("sub_steps = 16", "sub_steps = 0")  # all of it by the solver
    (folder / "exact" / "surrogate.toml").write_text(f'weights = "../balanced/weights.safetensors"\n{told}')
    return folder


def test_a_dial_chooses_what_is_spent_on_a_step(dial: Path, cells: tuple[np.ndarray, np.ndarray]) -> None:
    default, balanced, exact = (Surrogate.load(dial, accuracy=name) for name in (None, "balanced", "exact"))
    np.testing.assert_array_equal(default.emulate(*cells), balanced.emulate(*cells))
    assert np.abs(exact.emulate(*cells) - balanced.emulate(*cells)).max() > 0.0
    assert accuracies_of(dial) == ["balanced", "exact"]


def test_what_stands_beside_other_settings_is_the_fast_one_and_the_default(dial: Path) -> None:
    shutil.copytree(dial / "balanced", dial, dirs_exist_ok=True)
    assert accuracies_of(dial) == ["fast", "balanced", "exact"]
    fast, default, exact = (Surrogate.load(dial, accuracy=name) for name in ("fast", None, "exact"))
    tables = [one.parts.emulator.table["solver_error"] for one in (fast, default, exact)]  # type: ignore[index]
    assert tables == [False, False, 1e-6]


def test_a_solver_that_works_for_a_surrogate_is_counted_in_its_trust(
    dial: Path, cells: tuple[np.ndarray, np.ndarray]
) -> None:
    counted = [
        Surrogate.load(dial, accuracy=name).trust(*cells).solver_steps for name in ("balanced", "exact")
    ]
    n_steps = cells[0].shape[1] - 1
    assert counted[1].tolist() == [list(range(n_steps + 1))] * len(cells[0])
    assert (counted[0] <= counted[1]).all()


def test_the_share_of_the_solver_is_told(
    dial: Path, cells: tuple[np.ndarray, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    exact = Surrogate.load(dial, accuracy="exact")
    with caplog.at_level("INFO", logger="chemnet"):
        exact.emulate(*cells, rows=[-1])
    n_steps = cells[0].shape[1] - 1
    told = re.search(r"the solver made (\d+) of (\d+) steps .*, sub-steps made (\d+)", caplog.text)
    assert told is not None
    solved, of, divided = map(int, told.groups())
    # nothing is trusted here: what the solver does not do is left to sub-steps
    assert (solved + divided, of) == (n_steps, n_steps)


def test_solver_dial_and_iterations_are_priced_side_by_side(chain: ConfigDict, dial: Path) -> None:
    config = chain.replace({"benchmark.surrogate": str(dial), "benchmark.cost_tracers": 1})
    surrogate, data = Surrogate.load(dial), _preprocessed(chain)
    judge = Judge(surrogate, data, Options.of(config), config)
    priced: Any = error_against_cost(surrogate, judge, data, config)
    settings: dict[str, list[str]] = {}
    for way in priced["rows"]:
        settings.setdefault(way["kind"], []).append(way["setting"])
    assert settings["dial"] == ["balanced", "exact"]
    assert settings["solver"] == ["rtol 1e-4", "rtol 1e-3", "rtol 1e-2", "rtol 0.1"]
    assert len(settings["iterations"]) == 3
    assert settings["solver_error"][0] == "none"
    assert len(settings["iterations_alone"]) == 2
    assert "fallback" not in settings  # no setting is a network alone
    rows = {(way["kind"], way["setting"]): way for way in priced["rows"]}
    assert rows["solver", "rtol 1e-4"]["mlae"] < 0.05 < rows["persistence", ""]["mlae"]
    assert rows["solver", "rtol 1e-4"]["solver_share"] == rows["dial", "exact"]["solver_share"] == 1.0
    assert "network 'collapse'" in priced["note"]


def test_the_configuration_turns_the_dial_too(dial: Path) -> None:
    config = load_config().replace({"surrogate.accuracy": "exact"})
    told: Any = Surrogate.load(dial, config).parts.emulator
    assert told.table["solver_error"] == 1e-6


def test_settings_that_are_not_there_are_refused(dial: Path) -> None:
    with pytest.raises(ModelError, match="no accuracy 'fast'") as caught:
        Surrogate.load(dial, accuracy="fast")
    assert "balanced" in (caught.value.hint or "")
    with pytest.raises(ModelError, match="one accuracy"):
        Surrogate.load(dial / "balanced", accuracy="exact")
    shutil.rmtree(dial / "balanced")
    with pytest.raises(ModelError, match="weights"):
        Surrogate.load(dial)


def _preprocessed(chain: ConfigDict) -> PreprocessedData:
    from chemnet.results import list_results

    results = list_results(chain["general"]["results_dir"])
    return PreprocessedData(next(one for one in results if one.verb == "preprocess"))


def _flat(table: dict[str, Any], prefix: str = "") -> Any:
    """Yield dotted keys and values."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
