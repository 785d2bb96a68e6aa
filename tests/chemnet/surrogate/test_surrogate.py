"""A surrogate takes and gives physical units, conserves elements, and refuses what it cannot use."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chemnet.chemistry.network.stoichiometry import charges
from chemnet.errors import DataError, ModelError
from chemnet.surrogate.rollout import Rollout
from chemnet.surrogate.surrogate import Surrogate


def drift(surrogate, abundances):
    totals = abundances.astype(np.float64) @ surrogate.data.stoichiometry
    wanted = totals[:, :1]
    return np.abs(totals / wanted - 1.0).max()


def random_cells(surrogate, seed, n_cells=3):
    """Random positive states with one H nucleus per H nucleus."""
    rng = np.random.default_rng(seed)
    abundances = 10.0 ** rng.uniform(-20, -4, size=(n_cells, len(surrogate.species)))
    molecular = rng.uniform(0.01, 0.49, size=n_cells)
    abundances[:, surrogate.species.index("H2")] = molecular
    abundances[:, surrogate.species.index("H")] = 1.0 - 2.0 * molecular
    return abundances


def test_row_zero_is_the_input_and_the_rest_is_float32(surrogate, histories):
    start = histories.abundance[:, 0]
    predicted = surrogate.emulate(histories.physical, start, histories.dt)
    assert predicted.shape == histories.abundance.shape
    assert predicted.dtype == np.float32
    np.testing.assert_array_equal(predicted[:, 0], start.astype(np.float32))


@pytest.mark.parametrize("rows", [[-1], [0, 3, 7], slice(None, None, 4), slice(5, 9), 6])
def test_only_the_rows_that_are_wanted_are_returned(surrogate, histories, rows):
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    everything = surrogate.emulate(*inputs)
    chosen = np.atleast_1d(np.arange(everything.shape[1])[rows])
    np.testing.assert_allclose(surrogate.emulate(*inputs, rows=rows), everything[:, chosen], rtol=1e-4)


@pytest.mark.parametrize("rows", [[99], [3, 1], [], "last", [2, 2]])
def test_rows_that_do_not_exist_or_do_not_ascend_are_refused(surrogate, histories, rows):
    with pytest.raises(DataError, match="rows = "):
        surrogate.emulate(histories.physical, histories.abundance[:, 0], histories.dt, rows=rows)


def test_tensors_give_tensors_and_arrays_give_arrays(surrogate, histories):
    start = histories.abundance[:, 0]
    array = surrogate.emulate(histories.physical, start, histories.dt)
    tensors = [torch.from_numpy(x) for x in (histories.physical, start, histories.dt)]
    tensor = surrogate.emulate(*tensors)
    assert isinstance(tensor, torch.Tensor)
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert isinstance(surrogate.encode(start), np.ndarray)


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_elements_are_conserved_in_every_cell_and_step_from_any_state(surrogate, histories, seed):
    start = random_cells(surrogate, seed, len(histories))
    assert drift(surrogate, surrogate.emulate(histories.physical, start, histories.dt)) <= 1e-6


def test_a_rollout_ten_times_as_long_stays_finite_bounded_and_conserving(surrogate, histories):
    physical = np.repeat(histories.physical[:, 10:11], 300, axis=1)
    predicted = surrogate.emulate(physical, histories.abundance[:, 0])
    assert np.isfinite(predicted).all()
    assert predicted.min() >= 0.0
    assert predicted.max() <= 1.0
    assert drift(surrogate, predicted) <= 1e-6


def test_a_step_is_the_first_step_of_a_rollout(surrogate, histories):
    start = histories.abundance[:, 0]
    predicted = surrogate.emulate(histories.physical, start, histories.dt)
    stepped = surrogate.step(histories.physical[:, 0], start, histories.dt[:, 0])
    np.testing.assert_allclose(stepped, predicted[:, 1], rtol=1e-5)


def test_a_latent_rollout_equals_repeated_latent_steps(surrogate, histories):
    latents = surrogate.encode(histories.abundance[:, 0])
    rolled = surrogate.latent_emulate(histories.physical, latents, histories.dt)
    for i in range(histories.dt.shape[1]):
        pair, dt = histories.physical[:, i : i + 2], histories.dt[:, i : i + 1]
        latents = surrogate.latent_emulate(pair, latents, dt)[:, 1]
        np.testing.assert_allclose(latents, rolled[:, i + 1], rtol=1e-4, atol=1e-5)


def test_decoded_latents_of_a_rollout_are_the_rollout_before_conservation(surrogate, histories):
    start = histories.abundance[:, 0]
    latents = surrogate.latent_emulate(histories.physical, surrogate.encode(start), histories.dt)
    tensors = [torch.from_numpy(x) for x in (start, histories.physical, histories.dt)]
    with torch.no_grad():
        expected = Rollout(surrogate.components)(*tensors)[:, -1].numpy()
    np.testing.assert_allclose(surrogate.decode(latents[:, -1]), expected, rtol=1e-3)


def test_encode_and_decode_have_their_shapes_and_units(surrogate, histories):
    start = histories.abundance[:, 3]
    latents = surrogate.encode(start)
    assert latents.shape == (len(start), surrogate.latent_dim)
    decoded = surrogate.decode(latents)
    assert decoded.shape == start.shape
    assert decoded.min() >= surrogate.data.abundance_scaling.floor * 0.999
    assert decoded.max() <= 1.0


def test_cells_do_not_depend_on_one_another(surrogate, histories):
    start = histories.abundance[:, 0]
    together = surrogate.emulate(histories.physical, start, histories.dt)
    alone = surrogate.emulate(histories.physical[:1], start[:1], histories.dt[:1])
    np.testing.assert_allclose(alone, together[:1], rtol=1e-4)


def test_no_cells_give_no_rows(surrogate):
    shape = (0, 5, len(surrogate.physical_names))
    assert surrogate.emulate(np.ones(shape), np.ones((0, len(surrogate.species)))).shape == (
        0,
        5,
        len(surrogate.species),
    )


def test_without_dt_the_usual_time_step_is_taken(surrogate, histories):
    start = histories.abundance[:, 0]
    usual = surrogate.emulate(histories.physical, start, surrogate.domain.dt_usual)
    np.testing.assert_array_equal(surrogate.emulate(histories.physical, start), usual)


def test_a_mapping_of_species_may_have_any_order(surrogate, histories):
    start = histories.abundance[:, 0]
    named = {name: start[:, i] for i, name in reversed(list(enumerate(surrogate.species)))}
    expected = surrogate.emulate(histories.physical, start, histories.dt)
    np.testing.assert_array_equal(surrogate.emulate(histories.physical, named, histories.dt), expected)


def test_what_a_mapping_leaves_out_is_0_and_electrons_balance_the_charge(surrogate, histories, caplog):
    given = {"H": 0.2, "H2": 0.4, "C+": 1e-4}
    start = np.zeros((1, len(surrogate.species)))
    for name, value in {**given, "E-": 1e-4}.items():
        start[0, surrogate.species.index(name)] = value
    with caplog.at_level("INFO", logger="chemnet"):
        found = surrogate.emulate(histories.physical[:1], {name: [x] for name, x in given.items()})
    np.testing.assert_array_equal(found, surrogate.emulate(histories.physical[:1], start))
    assert "9 of 12 species are not given and taken as 0; electrons balance the charge" in caplog.text


def test_one_cell_needs_no_axis_of_cells(surrogate, histories):
    cells = (histories.physical[:1], histories.abundance[:1, 0], histories.dt[:1])
    one = tuple(values[0] for values in cells)
    start = dict(zip(surrogate.species, one[1], strict=True))
    expected, trust = surrogate.emulate_with_trust(*cells)
    for found in (surrogate.emulate(*one), surrogate.emulate(one[0], start, one[2])):
        np.testing.assert_array_equal(found, expected[0])
    np.testing.assert_array_equal(surrogate.trust(*one).score, trust.score[0])
    np.testing.assert_array_equal(surrogate.in_domain(*one), surrogate.in_domain(*cells)[0])
    latents = surrogate.encode(cells[1])
    rolled = surrogate.latent_emulate(one[0], latents[0], one[2])
    np.testing.assert_array_equal(rolled, surrogate.latent_emulate(cells[0], latents, cells[2])[0])


def test_time_steps_of_one_axis_are_for_all_cells(surrogate, histories):
    dt = histories.dt[0]
    found = surrogate.emulate(histories.physical, histories.abundance[:, 0], dt)
    expected = surrogate.emulate(histories.physical, histories.abundance[:, 0], np.tile(dt, (len(found), 1)))
    np.testing.assert_array_equal(found, expected)


def broken(values, place, value):
    """A copy with one value replaced."""
    values = values.copy()
    values[place] = value
    return values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p, a, d: (p, broken(a, (1, 2), np.nan), d), "abundances, cell 1, HE: nan"),
        (lambda p, a, d: (p, broken(a, (0, 3), -1e-9), d), r"abundances, cell 0, C\+: -1e-09"),
        (lambda p, a, d: (broken(p, (1, 4, 3), np.inf), a, d), "physical, cell 1, step 4, gasTemp: inf"),
        (lambda p, a, d: (p, a, broken(d, (1, 6), 0.0)), "dt, cell 1, step 6: 0.0 yr"),
        (lambda p, a, d: (p, a, -d), "dt, cell 0, step 0"),
        (lambda p, a, d: (p, a, d[:, 1:]), "dt has the shape"),
        (lambda p, a, d: (p[..., 1:], a, d), r"physical has the shape .* needed is \(cells, steps, 4\)"),
        (lambda p, a, d: (p, a[:, 1:], d), r"abundances have the shape .* needed is \(cells, 12\)"),
        (lambda p, a, d: (p, a[:1], d), "physical 2, abundances 1|physical 3, abundances 1"),
        (lambda p, a, d: (p, a[:, ::-1], d), "H nuclei per H nucleus"),
        (lambda p, a, d: (p, {"H": a[:, 0]}, d), "0.5 H nuclei per H nucleus"),
        (lambda p, a, d: (p, {"H": 2 * a[:, 0], "XE": a[:, 0]}, d), "the column 'XE' is unknown"),
        (lambda p, a, d: (p, a[0], d), "physical 2, abundances 1|physical 3, abundances 1"),
        (lambda p, a, d: (p, a, d[0, 1:]), "dt has the shape"),
        (lambda p, a, d: (p, "abundances", d), "no array of numbers"),
        (lambda p, a, d: (p, a, "3000"), "str is no array of numbers"),
        (lambda p, a, d: (p, a + 0j, d), "ndarray is no array of numbers: it holds complex128"),
        (lambda p, a, d: (p, torch.from_numpy(a) + 0j, d), "it holds complex128"),
        (lambda p, a, d: (p, [*a.tolist()[:-1], [0.5]], d), "list is no array of numbers"),
        (lambda p, a, d: (broken(p, (1, 4, 2), 0.0), a, d), "physical, cell 1, step 4, Av: 0.0"),
    ],
)
def test_input_that_cannot_be_used_is_refused_by_place(surrogate, histories, change, message):
    inputs = (histories.physical, histories.abundance[:, 0], histories.dt)
    with pytest.raises(DataError, match=message) as caught:
        surrogate.emulate(*change(*inputs))
    assert caught.value.hint


def test_latents_of_another_length_are_refused(surrogate):
    with pytest.raises(DataError, match=r"latents have the shape \(2, 99\).*\n  hint: one row per cell"):
        surrogate.decode(np.zeros((2, 99)))


def test_an_unknown_species_in_a_mapping_is_named(surrogate, histories):
    named = {name: histories.abundance[:, 0, i] for i, name in enumerate(surrogate.species)}
    with pytest.raises(DataError, match="'H2O2' is unknown"):
        surrogate.emulate(histories.physical, {**named, "H2O2": named["H2O"]})


def test_columns_of_unequal_lengths_are_named(surrogate, histories):
    named = {name: histories.abundance[:, 0, i] for i, name in enumerate(surrogate.species)}
    with pytest.raises(DataError, match=r"abundances: the column 'CO' has the shape \(1,\), '.*' has"):
        surrogate.emulate(histories.physical, {**named, "CO": named["CO"][:1]})


def test_half_precision_tensors_and_columns_of_objects_are_numbers(surrogate, histories):
    start = histories.abundance[:, 0]
    np.testing.assert_array_equal(surrogate.encode(start.astype(object)), surrogate.encode(start))
    assert surrogate.encode(torch.from_numpy(start).bfloat16()).shape == (len(start), surrogate.latent_dim)


def test_a_device_that_does_not_exist_is_refused(surrogate):
    with pytest.raises(ModelError, match="cannot move to 'gpu'"):
        surrogate.to("gpu")
    assert surrogate.device == torch.device("cpu")


def test_one_step_takes_no_history(surrogate, histories):
    with pytest.raises(DataError, match=r"one step needs \(cells, 4\)"):
        surrogate.step(histories.physical, histories.abundance[:, 0])


def test_what_leaves_the_trained_range_is_flagged_and_logged_once(surrogate, histories, caplog):
    # another one: what was told once is not told again
    surrogate = Surrogate(surrogate.parts, surrogate.domain, "new", {})
    physical = histories.physical.copy()
    physical[1, 5, 0] = 1e15
    inside = surrogate.in_domain(physical)
    assert not inside[1, 5]
    assert inside.sum() == surrogate.in_domain(histories.physical).sum() - 1
    with caplog.at_level(logging.WARNING):
        predicted = surrogate.emulate(physical, histories.abundance[:, 0], histories.dt)
    assert "Density outside" in caplog.text
    assert "cell 1, step 5: 1e+15" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        surrogate.emulate(physical, histories.abundance[:, 0], histories.dt)
    assert not caplog.records
    assert np.isfinite(predicted).all()


def test_another_composition_or_time_step_is_outside_the_domain(surrogate, histories):
    start = histories.abundance[:, 0].copy()
    start[0, surrogate.species.index("C+")] *= 3.0
    inside = surrogate.in_domain(histories.physical, start, histories.dt)
    assert not inside[0].any()
    assert not surrogate.in_domain(histories.physical, dt=100.0 * histories.dt)[:, :-1].any()


@pytest.fixture
def neutral(surrogate):
    """The same networks, with balanced charges."""
    return Surrogate(surrogate.parts, surrogate.domain, "neutral", {}).neutral()


def test_charges_balance_where_they_are_asked_to(surrogate, neutral, histories):
    charge = charges(surrogate.species)
    given = histories.physical[:, :5], histories.abundance[:, 0], histories.dt[:, :4]
    net = {made.name: np.abs(made.emulate(*given)[:, 1:] @ charge).max() for made in (surrogate, neutral)}
    ions = neutral.emulate(*given)[:, 1:] @ charge.clip(0)
    assert net["neutral"] < 1e-5 * ions.max() < net["made"]
    assert neutral.is_neutral
    assert not surrogate.is_neutral


def test_abundances_are_brought_to_the_totals_that_a_grid_states(surrogate, histories):
    start = np.asarray(histories.abundance[:, 0], np.float64)
    wanted = start @ surrogate.data.stoichiometry
    mixed = start * np.random.default_rng(1).uniform(0.9, 1.1, start.shape)
    found = surrogate.conserve(mixed, wanted)
    np.testing.assert_allclose(found @ surrogate.data.stoichiometry, wanted, rtol=1e-9)
    after = surrogate.step(histories.physical[:, 0], found, histories.dt[:, 0])
    np.testing.assert_allclose(after @ surrogate.data.stoichiometry, wanted, rtol=1e-6)


def test_totals_may_name_some_elements_and_leave_the_others(surrogate, histories):
    start = np.asarray(histories.abundance[:, 0], np.float64)
    totals = start @ surrogate.data.stoichiometry
    carbon = surrogate.elements.index("C")
    found = surrogate.conserve(start, {"C": 1.1 * totals[:, carbon]})
    totals[:, carbon] *= 1.1
    np.testing.assert_allclose(found @ surrogate.data.stoichiometry, totals, rtol=1e-9)


@pytest.mark.parametrize(
    ("totals", "message"),
    [
        ({"XE": 1.0}, "no element is called 'XE'"),
        ([1.0, 2.0], "totals have the shape"),
        ({"C": [[1.0]]}, "totals have the shape"),
        ({"C": np.nan}, "totals, cell 0, C: nan"),
        ({"H": 2.0}, "totals, cell 0: they hold 2 H nuclei"),
    ],
)
def test_totals_that_cannot_be_used_are_refused(surrogate, histories, totals, message):
    with pytest.raises(DataError, match=message):
        surrogate.conserve(histories.abundance[:, 0], totals)
