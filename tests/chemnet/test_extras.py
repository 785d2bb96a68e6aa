from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chemnet.errors import MissingPackageError
from chemnet.extras import EXTRAS, install_command, is_installed, require

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
#: name in the index -> name that is imported, where they differ
IMPORTED = {"umap-learn": "umap", "scikit-learn": "sklearn"}

Hide = Callable[[str], None]


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Return a function that makes a package look as if it were not installed."""
    return lambda package: monkeypatch.setitem(sys.modules, package, None)


def test_the_extras_are_those_of_the_project_file() -> None:
    extras = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    brought = {
        name: {IMPORTED.get(need.split(">=")[0], need.split(">=")[0]) for need in extras[name]}
        for name in EXTRAS
    }
    assert brought == {name: set(packages) for name, packages in EXTRAS.items()}
    assert extras["all"] == [f"chemnet[{','.join(EXTRAS)}]"]


def test_what_is_installed_is_not_imported_to_find_out() -> None:
    assert is_installed("this")
    assert "this" not in sys.modules


def test_a_missing_package_is_told_in_one_line_with_the_command(hide: Hide) -> None:
    require("h5py", "a package that is there")
    hide("mlflow")
    with pytest.raises(MissingPackageError) as caught:
        require("mlflow", "tracking")
    assert str(caught.value).endswith("pip install 'chemnet[track]'")
    assert "\n" not in str(caught.value)


def _map_by(reducer: str) -> Callable[[Any, Path], Any]:
    """Return a function that fits a reducer."""

    def fit(tiny: Any, folder: Path) -> None:
        import numpy as np

        from chemnet.registry import REDUCERS

        recipe: dict[str, Any] = {"n_components": 2, "seed": 0, "parallel": False, "options": {}}
        REDUCERS.get(reducer)(**recipe).fit(np.random.default_rng(0).normal(size=(20, 3)))

    return fit


def _read_csv(tiny: Any, folder: Path) -> None:
    from chemnet.data.readers.format_recognition import open_table

    (folder / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    open_table(folder / "table.csv", tiny()["data_set"])


def _open_dask(tiny: Any, folder: Path) -> None:
    from chemnet.workers.configured_workers import open_workers

    open_workers(tiny({"general.dask": "local"}), lambda: pytest.fail("other workers were asked for"))


def _run(verb: str, changes: dict[str, Any]) -> Callable[[Any, Path], Any]:
    """Return a function that runs a verb."""

    def run(tiny: Any, folder: Path) -> None:
        from chemnet.registry import VERBS

        VERBS.get(verb)(tiny(changes)).run()

    return run


def _build_ode(tiny: Any, folder: Path) -> None:
    from chemnet.models.emulators.steps.ode import ODEStep

    ODEStep(tiny()["model"]["LatentODE"], object(), 3)  # type: ignore[arg-type]


def _open_chroma(tiny: Any, folder: Path) -> None:
    from chemnet.search.chroma import ChromaDatabase

    ChromaDatabase(tiny(), folder).create(3)


def _compressed(tiny: Any, folder: Path) -> None:
    from chemnet.data.readers.hdf5 import readable

    with readable(folder / "table.h5"):
        raise OSError("Can't synchronously read data (can't open directory (/usr/local/lib/plugin))")


@pytest.mark.parametrize(
    ("package", "use"),
    [
        ("umap", _map_by("umap")),
        ("sklearn", _map_by("pca")),
        ("sklearn", _map_by("tsne")),
        ("pyarrow", _read_csv),
        ("hdf5plugin", _compressed),
        ("distributed", _open_dask),
        ("chromadb", _open_chroma),
        ("torchdiffeq", _build_ode),
        ("optuna", _run("sweep", {"sweep.trials": 2, "sweep.space": {"optimizer.lr": "log:1e-4..1e-2"}})),
        ("mlflow", _run("train", {"mlflow.enabled": True})),
        ("tensorboard", _run("train", {"train.tensorboard": True})),
    ],
)
def test_what_needs_a_missing_package_names_its_extra(
    tiny: Any, tmp_path: Path, hide: Hide, package: str, use: Callable[[Any, Path], Any]
) -> None:
    hide(package)
    with pytest.raises(MissingPackageError) as caught:
        use(tiny, tmp_path)
    assert install_command(package) in str(caught.value)


def test_a_training_that_only_the_default_would_track_goes_on_untracked(
    hide: Hide, caplog: pytest.LogCaptureFixture
) -> None:
    from chemnet.config import load_config
    from chemnet.training.loop.tracking import tracked_where_possible

    hide("mlflow")
    assert tracked_where_possible(load_config())["mlflow"]["enabled"] is False
    assert "pip install 'chemnet[track]'" in caplog.text
    with pytest.raises(MissingPackageError):
        tracked_where_possible(load_config(overrides=["mlflow.enabled=true"]))
    assert (
        tracked_where_possible(load_config(overrides=["mlflow.enabled=false"]))["mlflow"]["enabled"] is False
    )
