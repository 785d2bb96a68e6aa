"""Fortran arithmetic gives Fortran's values, and nothing but arithmetic gets through."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from chemnet.chemistry.formats.arithmetic import evaluate, parse_arithmetic, variable_names
from chemnet.errors import DataError


def value(text: str, **names: float) -> float:
    return float(evaluate(parse_arithmetic(text), lambda name: np.asarray(names[name])))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.d-9", 1e-9),
        ("1d1", 10.0),
        (".5d0", 0.5),
        ("3.e2", 300.0),
        ("007", 7.0),
        ("2**3**2", 512.0),
        ("-2d0**2", -4.0),
        ("2d0*-3", -6.0),
        ("4/2", 2.0),
        ("1/2.", 0.5),
        ("10**(-18.2)", 10**-18.2),
        ("dexp(1d0) + dlog10(1d2) - dsqrt(4.)", math.e),
        ("max(1d0, min(5d0, 3.))", 3.0),
        ("abs(-x)", 2.0),
    ],
)
def test_fortran_notation_has_fortrans_value(text, expected):
    assert value(text, x=2.0) == pytest.approx(expected, rel=1e-15)


numbers = st.floats(0.1, 1e3).map(lambda number: f"{number!r}".replace("e", "d"))
expressions = st.recursive(
    numbers | st.just("x"),
    lambda inner: st.builds(
        lambda left, sign, right: f"({left}{sign}{right})",
        inner,
        st.sampled_from(["+", "-", "*", "/"]),
        inner,
    ),
    max_leaves=12,
)


@given(expressions, st.floats(0.5, 100))
def test_arithmetic_agrees_with_python(text, x):
    with np.errstate(all="ignore"):
        # the text was made above of digits, x and four operators
        try:
            expected = eval(text.replace("d", "e"), {"x": np.float64(x)})
        except ZeroDivisionError:
            reject()
        np.testing.assert_allclose(value(text, x=x), expected, rtol=1e-12)


@given(st.text(alphabet="tga1.d-+*/()e,x_ ", max_size=25))
def test_any_text_is_arithmetic_or_refused(text):
    try:
        names = variable_names(parse_arithmetic(text))
    except DataError as error:
        refusal = error
    else:
        assert all(name.isidentifier() for name in names)
        return
    assert refusal.hint


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__",
        "lambda: 1",
        "[1 for x in y]",
        "x.real",
        "x[0]",
        "f'{x}'",
        "'text'",
        "x if y else z",
        "x == y",
        "x := 1",
        "exp(*x)",
        "1 // 2",
        "x % 2",
        "x @ y",
        "~x",
        "1j",
        "x; y",
        "x,",
        "",
        "(1",
    ],
)
def test_what_is_no_arithmetic_is_refused(text):
    with pytest.raises(DataError):
        parse_arithmetic(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("system(1)", "calls 'system', which chemnet does not know"),
        ("exp(1., 2.)", "gives 2 argument(s) to 'exp'"),
        ("x**(1/2)", "Fortran would round"),
        ("10**(-3)*x", "Fortran would round"),
        ("1/0", "Fortran would round"),
        ("1.5&2", "has '&' where a number"),
        ("2*(3+", "is no arithmetic expression"),
    ],
)
def test_refusal_says_what_is_wrong(text, message):
    with pytest.raises(DataError) as caught:
        parse_arithmetic(text)
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("text", ["-" * 5000 + "1", "(" * 5000 + "1" + ")" * 5000, "+".join(["1"] * 5000)])
def test_bottomless_nesting_is_refused_and_does_not_exhaust_the_stack(text):
    limit = sys.getrecursionlimit()
    with pytest.raises(DataError):
        parse_arithmetic(text)
    assert sys.getrecursionlimit() == limit


def test_names_are_listed_once_and_functions_are_none_of_them():
    names = variable_names(parse_arithmetic("exp(-te)*t32 + te"))
    assert sorted(names) == ["t32", "te"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9" * 5000, "an integer of 5000 digits"),
        ("9" * 400 + "*t", "an integer of 400 digits"),
        ("1d0+" * 10_000 + "1d0", "40003 characters"),
        ("(" * 1000 + "t" + ")" * 1000, "is no arithmetic expression"),
        ("1d0" + "+t" * 300, "nested too deeply"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_computed(text, told):
    with pytest.raises(DataError, match=told):
        parse_arithmetic(text)


def test_a_tower_of_powers_costs_nothing():
    with np.errstate(over="ignore"):
        assert evaluate(parse_arithmetic("9**9**9"), lambda name: None) == np.inf


def test_a_function_without_arguments_is_refused():
    with pytest.raises(DataError, match="'max' without arguments"):
        parse_arithmetic("1d0 + max")
