"""Element totals are met exactly, whatever a network predicts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.network.stoichiometry import charges, stoichiometric_matrix
from chemnet.errors import ModelError
from chemnet.surrogate.wrappers.conservation import conserve_elements, element_totals

SPECIES = (
    "H",
    "H2",
    "HE",
    "C",
    "C+",
    "CO",
    "O",
    "H2O",
    "#H2O",
    "#CO",
    "@CO",
    "CH4",
    "#CH3OH",
    "N",
    "N2",
    "NH3",
    "E-",
)
STOICHIOMETRY = torch.from_numpy(stoichiometric_matrix(SPECIES))


def state(seed, n_cells=4):
    """Random abundances over 20 decades, hydrogen and helium in their places."""
    rng = np.random.default_rng(seed)
    abundance = 10.0 ** rng.uniform(-20, -4, size=(n_cells, len(SPECIES)))
    abundance[:, SPECIES.index("H2")] = rng.uniform(0.1, 0.5, size=n_cells)
    abundance[:, SPECIES.index("HE")] = 0.1
    return torch.from_numpy(abundance)


def relative_residual(abundance, totals):
    return ((element_totals(abundance, STOICHIOMETRY) - totals) / totals).abs().max().item()


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.0, 0.5))
def test_every_element_has_its_total_after_any_error(seed, dex):
    truth = state(seed)
    noise = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=truth.shape))
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(truth * 10.0 ** (dex * noise), totals, STOICHIOMETRY)
    assert relative_residual(corrected, totals) <= 1e-10
    assert (corrected > 0).all()


def test_a_state_that_conserves_is_left_alone():
    truth = state(1)
    corrected = conserve_elements(truth, element_totals(truth, STOICHIOMETRY), STOICHIOMETRY)
    torch.testing.assert_close(corrected, truth, rtol=1e-14, atol=0)


def test_carriers_absorb_the_error_and_rare_species_keep_their_value():
    truth = torch.full((1, len(SPECIES)), 1e-15, dtype=torch.float64)
    for name, value in {"H2": 0.5, "HE": 0.1, "CO": 1e-4, "H2O": 2e-4, "N2": 3e-5, "CH4": 1e-9}.items():
        truth[0, SPECIES.index(name)] = value
    predicted = truth.clone()
    predicted[0, SPECIES.index("CO")] *= 1.3
    corrected = conserve_elements(predicted, element_totals(truth, STOICHIOMETRY), STOICHIOMETRY)
    dex = (corrected / predicted).log10().abs()[0]
    assert dex[SPECIES.index("CO")] == pytest.approx(np.log10(1.3), abs=0.01)
    assert dex[SPECIES.index("CH4")] < 1e-3
    assert dex[SPECIES.index("C")] < 1e-6


def test_an_element_that_is_absent_has_no_species():
    truth = state(3)
    truth[:, ["N" in name and name != "NA" for name in SPECIES]] = 0.0
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(state(4), totals, STOICHIOMETRY)
    assert (corrected[:, SPECIES.index("NH3")] == 0).all()
    present = totals[0] > 0
    assert (
        (element_totals(corrected, STOICHIOMETRY) - totals)[:, present].abs() <= 1e-10 * totals[:, present]
    ).all()


def test_float32_input_is_corrected_in_float64():
    truth = state(5)
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(truth.float() * 1.05, totals, STOICHIOMETRY)
    assert corrected.dtype == torch.float64
    assert relative_residual(corrected, totals) <= 1e-10


def test_cells_do_not_depend_on_their_neighbours():
    truth = state(6)
    totals = element_totals(truth, STOICHIOMETRY)
    together = conserve_elements(truth * 1.2, totals, STOICHIOMETRY)
    alone = torch.cat(
        [conserve_elements(truth[i : i + 1] * 1.2, totals[i : i + 1], STOICHIOMETRY) for i in range(4)]
    )
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=0)


def test_hardly_any_cell_of_a_fair_prediction_takes_the_slow_way(monkeypatch):
    from chemnet.surrogate.wrappers import conservation

    slow, guarded = [0], conservation.guarded_newton

    def counting(cells, *arguments):
        slow[0] += len(cells.abundance)
        return guarded(cells, *arguments)

    monkeypatch.setattr(conservation, "guarded_newton", counting)
    truth = torch.cat([state(seed, 50) for seed in range(20)])
    noise = torch.from_numpy(np.random.default_rng(0).normal(0.0, 0.05, truth.shape))
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(truth * 10.0**noise, totals, STOICHIOMETRY)
    assert relative_residual(corrected, totals) <= 1e-10
    # these states are wilder than any that chemistry makes: on real tracers it is 1 cell in 700
    assert slow[0] <= 0.1 * len(truth)


def test_cells_with_the_same_totals_and_others_may_come_in_any_order():
    truth = torch.cat([state(1), state(2)])
    totals = element_totals(truth, STOICHIOMETRY)
    order = torch.tensor([3, 3, 0, 7, 7, 7, 1, 3])
    mixed = conserve_elements(1.1 * truth[order], totals[order], STOICHIOMETRY)
    torch.testing.assert_close(mixed, conserve_elements(1.1 * truth, totals, STOICHIOMETRY)[order])


def test_an_element_without_a_carrier_is_named():
    predicted = state(7)
    predicted[2, ["N" in name for name in SPECIES]] = 0.0
    with pytest.raises(ModelError, match="cell 2: element"):
        conserve_elements(predicted, element_totals(state(7), STOICHIOMETRY), STOICHIOMETRY)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_even_an_unrelated_prediction_is_brought_to_the_totals(seed, other):
    truth, predicted = state(seed), state(other)
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(predicted, totals, STOICHIOMETRY)
    assert relative_residual(corrected, totals) <= 1e-10
    assert torch.isfinite(corrected).all()


def test_totals_that_no_abundances_have_are_refused():
    species = ("CO", "C")
    stoichiometry = torch.from_numpy(stoichiometric_matrix(species))
    elements = stoichiometry[0] > 0
    totals = torch.where(stoichiometry[1] > 0, 1.0, 2.0)[None].double() * elements
    with pytest.raises(ModelError, match="after 60 Newton steps"):
        conserve_elements(torch.ones(1, 2), totals, stoichiometry)


CHARGES = torch.from_numpy(charges(SPECIES))


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.0, 0.5))
def test_charges_balance_on_request_beside_the_elements(seed, dex):
    truth = state(seed)
    truth[:, SPECIES.index("E-")] = truth[:, SPECIES.index("C+")]
    noise = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=truth.shape))
    predicted, totals = truth * 10.0 ** (dex * noise), element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(predicted, totals, STOICHIOMETRY, charges_S=CHARGES)
    assert relative_residual(corrected, totals) <= 1e-10
    # what either sign carried before
    ions = (predicted @ CHARGES.clamp(min=0)).maximum(predicted @ -CHARGES.clamp(max=0))
    assert ((corrected @ CHARGES).abs() <= 1e-10 * ions).all()
    assert (corrected > 0).all()


def test_electrons_follow_rare_ions_and_neutral_species_stay():
    truth = torch.full((1, len(SPECIES)), 1e-15, dtype=torch.float64)
    for name, value in {"H2": 0.5, "HE": 0.1, "CO": 1e-4, "H2O": 2e-4, "N2": 3e-5, "C+": 1e-9}.items():
        truth[0, SPECIES.index(name)] = value
    truth[0, SPECIES.index("E-")] = 2e-9
    totals = element_totals(truth, STOICHIOMETRY)
    corrected = conserve_elements(truth, totals, STOICHIOMETRY, charges_S=CHARGES)
    dex = (corrected / truth).log10()[0]
    assert dex[SPECIES.index("E-")] == pytest.approx(-np.log10(2.0), abs=0.01)
    assert dex[SPECIES.index("C+")].abs() < 0.01
    assert dex[SPECIES.index("CO")].abs() < 1e-6


def test_ions_without_electrons_cannot_balance():
    predicted = state(8)
    totals = element_totals(predicted, STOICHIOMETRY)
    predicted[1, SPECIES.index("E-")] = 0.0
    with pytest.raises(ModelError, match="cell 1: the charge cannot balance"):
        conserve_elements(predicted, totals, STOICHIOMETRY, charges_S=CHARGES)
