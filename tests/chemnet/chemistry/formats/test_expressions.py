"""Rate expressions take the physical state and give KROME's values."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.chemistry.formats.expressions import INPUTS, SHORTCUTS, compile_expression
from chemnet.errors import DataError

T = np.array([10.0, 75.0, 300.0, 1e4])
EV_PER_KELVIN = 8.617343e-5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("T32", T / 300),
        ("invT", 1 / T),
        ("invTgas", 1 / T),
        ("Te", T * EV_PER_KELVIN),
        ("invTe", 1 / (T * EV_PER_KELVIN)),
        ("lnTe", np.log(T * EV_PER_KELVIN)),
        ("sqrTgas", np.sqrt(T)),
        ("invT32", 300 / T),
        ("logT", np.log10(T)),
    ],
)
def test_temperature_shortcut_has_kromes_value(name, expected):
    np.testing.assert_allclose(compile_expression(name)(T), expected, rtol=1e-14)


@pytest.mark.parametrize("name", [*SHORTCUTS, *INPUTS])
def test_every_shortcut_and_input_has_a_finite_value(name):
    rate = compile_expression(name)
    assert np.isfinite(rate(T, Av=1.0, zeta=1.0, radfield=1.0, density=1e4)).all()


def test_user_variables_are_the_state_in_kromes_units():
    rate = compile_expression("user_crate + 0*user_G0")
    np.testing.assert_allclose(rate(10.0, zeta=2.0), 2.6e-17)
    np.testing.assert_allclose(
        compile_expression("user_G0*exp(-2d0*user_Av)")(10.0, Av=1.0, radfield=3.0), 3 * np.exp(-2)
    )


def test_value_has_the_shape_that_the_state_broadcasts_to():
    rate = compile_expression("1d-9")
    assert rate(T).shape == (4,)
    assert rate(T[:, None], Av=np.zeros(3)).shape == (4, 3)
    assert rate(10.0).shape == ()
    rate(T)[0] = 1.0  # a fresh, writable array each time
    assert rate(T)[0] == 1e-9


def test_variables_of_the_file_come_before_shortcuts_and_may_use_each_other():
    scope = {"T32": "Tgas/1d2", "Slope": "-half", "half": "0.5"}
    np.testing.assert_allclose(compile_expression("T32**slope", scope)(T), (T / 100) ** -0.5, rtol=1e-14)


def test_later_change_of_the_scope_leaves_a_compiled_rate_as_it_was():
    scope = {"a": "1d0"}
    rate = compile_expression("a*2", scope)
    scope["a"] = "5d0"
    assert rate(10.0) == 2.0


def test_only_needed_variables_are_kept_so_equal_rates_are_equal():
    first = compile_expression("a", {"a": "1.", "b": "nonsense("})
    second = compile_expression("A ", {"a": "1."})
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1


@given(st.floats(3, 1e5), st.floats(0, 20), st.floats(0.1, 100), st.floats(1e-3, 1e3))
def test_pickled_rate_has_the_same_value(temperature, av, zeta, field):
    rate = compile_expression("a*user_crate + user_G0*exp(-2*user_Av)*T32**(-.5)", {"a": "lnTe**2"})
    copy = pickle.loads(pickle.dumps(rate))
    assert copy == rate
    assert copy(temperature, av, zeta, field) == rate(temperature, av, zeta, field)


def test_density_is_asked_for_where_a_rate_needs_it():
    rate = compile_expression("1d0/(1d0 + Hnuclei/1d4)", {"Hnuclei": "get_Hnuclei(n(:))"})
    assert rate.inputs == {"get_hnuclei"}
    assert rate(10.0, density=1e4) == 0.5
    with pytest.raises(DataError, match="depends on the density of H nuclei"):
        rate(10.0)


def test_inputs_are_found_through_variables_and_shortcuts():
    assert compile_expression("a", {"a": "invTe*user_Av"}).inputs == {"tgas", "state_av"}
    assert compile_expression("1d-9").inputs == frozenset()


@pytest.mark.parametrize(
    ("text", "scope", "message", "hint"),
    [
        ("Tgsa", {}, "unknown name 'tgsa'", "'tgas'"),
        ("user_J21*2", {}, "unknown name 'user_j21'", "@var:user_j21="),
        ("user_J21*2", {}, "unknown name 'user_j21'", "network.variables = { user_j21 = "),
        ("n(1:5)*1d-9", {}, "has ':' where", "arithmetic"),
        ("a", {"a": "b", "b": "a"}, "variable 'a' is defined by itself", "rename"),
        ("H2_rate(n,Tgas)", {}, "calls 'h2_rate'", "write the formula out"),
    ],
)
def test_rate_that_cannot_be_had_is_refused_with_cause_and_way_out(text, scope, message, hint):
    with pytest.raises(DataError) as caught:
        compile_expression(text, scope)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_densities_of_species_are_taken_from_their_abundances():
    rate = compile_expression("1d-9*n(idx_H2)/n(krome_idx_Hj)*sum(n(1:nmols))")
    assert rate.densities == {"H2", "H+", "*"}
    value = rate(10.0, density=1e3, abundances={"H2": 0.5, "H+": 1e-3, "*": 0.6})
    assert float(value) == pytest.approx(1e-9 * 500 / 1.0 * 600)
    with pytest.raises(DataError, match="depends on the density of a species"):
        rate(10.0, density=1e3)


@pytest.mark.parametrize(
    ("written", "species"),
    [("E", "E-"), ("HEjj", "HE++"), ("OHk", "OH-"), ("K", "K"), ("Cj", "C+"), ("CO", "CO")],
)
def test_charges_in_the_index_of_a_species_are_letters(written, species):
    assert compile_expression(f"n(idx_{written})").densities == {species}


def test_functions_of_papers_have_their_values():
    # Glover et al. 2010, eq. 4; Draine & Bertoldi 1996 without a column; H2 + H is faster in LTE
    attenuation = compile_expression("fHnOj(user_Av)")
    assert float(attenuation(10.0, Av=2.0)) == pytest.approx(np.exp(-5.1 + 0.066))
    assert float(compile_expression("fselfH2(0d0, 1d5)")(10.0)) == pytest.approx(1.0, abs=1e-3)
    dissociation = compile_expression("dissH2_Martin96(n,Tgas)")
    thin, dense = (float(dissociation(3000.0, density=density)) for density in (1.0, 1e10))
    assert 0.0 < thin < 1e-3 * dense < 1e-11


@pytest.mark.parametrize("name", ["dissH2H_Hunter23", "dissH2H2_Hunter23"])
def test_dissociation_goes_from_the_rate_of_thin_to_that_of_dense_gas(name):
    rate = compile_expression(f"{name}(n,Tgas)")
    dense_limit = compile_expression("dissH2_Martin96(n,Tgas)")(4000.0, density=1e20)
    rates = [
        float(rate(4000.0, density=density, abundances={"H": 0.5, "H2": 0.25}))
        for density in (1.0, 1e4, 1e12)
    ]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(float(dense_limit) / (8.0 if "H2H2" in name else 1.0), rel=1e-3)


def test_ions_recombine_on_neutral_grains_at_the_rate_of_weingartner_and_draine():
    rate = compile_expression("C_recombination_on_dust(n,Tgas)")
    dark, lit = (
        float(rate(100.0, radfield=field, density=1e2, abundances={"E-": 1e-4})) for field in (1e-12, 1.0)
    )
    assert dark == pytest.approx(4.558e-13, rel=0.02)
    assert 1e-15 < lit < dark


def test_overflow_is_infinite_and_silent():
    assert compile_expression("exp(1d10)")(10.0) == np.inf


def test_variables_that_refer_to_all_earlier_ones_take_time_in_proportion():
    scope = {"v0": "1d0"} | {f"v{n}": "+".join(f"v{i}" for i in range(n)) for n in range(1, 60)}
    # written out, the last one would have 2**58 terms
    assert float(compile_expression("v59", scope)(Tgas=10.0)) == 2.0**58


def test_a_long_chain_of_variables_is_no_deep_one():
    scope = {"v0": "Tgas"} | {f"v{n}": f"v{n - 1}+1d0" for n in range(1, 2001)}
    rate = compile_expression("v2000", scope)
    assert float(rate(Tgas=10.0)) == 2010.0
    assert rate.inputs == {"tgas"}


def test_a_long_circle_of_variables_is_refused():
    scope = {f"v{n}": f"v{(n + 1) % 2000}" for n in range(2000)}
    with pytest.raises(DataError, match="'v0' is defined by itself"):
        compile_expression("v0", scope)
