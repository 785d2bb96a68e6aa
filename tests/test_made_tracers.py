"""The made tracers that other tests stand on are what they claim to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from made_tracers import CARBON, OXYGEN, SPECIES, MadeTracers, make_tracers, write_uclchem_table


def total(tracers: MadeTracers, counts: dict[str, int]) -> np.ndarray:
    """The summed abundance of an element, (tracers, steps)."""
    return sum(n * tracers.abundance[..., SPECIES.index(name)] for name, n in counts.items())


def test_elements_are_conserved_along_every_tracer(made_tracers: MadeTracers) -> None:
    hydrogen = {"H": 1, "H2": 2, "OH": 1, "H2O": 2, "#H2O": 2}
    np.testing.assert_allclose(total(made_tracers, hydrogen), 1.0, rtol=1e-12)
    np.testing.assert_allclose(total(made_tracers, {"C+": 1, "C": 1, "CO": 1, "#CO": 1}), CARBON, rtol=1e-12)
    oxygen = {"CO": 1, "#CO": 1, "O": 1, "OH": 1, "H2O": 1, "#H2O": 1}
    np.testing.assert_allclose(total(made_tracers, oxygen), OXYGEN, rtol=1e-12)


def test_the_same_seed_gives_the_same_tracers_and_another_seed_others() -> None:
    first, again, other = (make_tracers(n_tracers=3, seed=seed).abundance for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_chemistry_moves_and_stays_positive(made_tracers: MadeTracers) -> None:
    assert (made_tracers.abundance > 0.0).all()
    ice = made_tracers.abundance[..., SPECIES.index("#H2O")]
    assert (ice[:, -1] > 1e3 * ice[:, 1]).any()


def test_the_uclchem_table_has_the_columns_of_the_real_ones(
    made_tracers: MadeTracers, tmp_path: Path
) -> None:
    import pandas as pd

    table = pd.read_hdf(write_uclchem_table(tmp_path / "made.h5", made_tracers), "df")
    assert list(table.columns[:10]) == [
        "Index", "Model", "Time", "Density", "Radfield", "Av", "gasTemp", "dustTemp", "dstep", "zeta",
    ]  # fmt: skip
    assert list(table.columns[10:]) == [*SPECIES, "SURFACE", "BULK"]
    assert len(table) == made_tracers.time.size
