"""Dotted names: what they import, and how they are refused."""

import pytest

from chemnet.errors import ConfigError
from chemnet.plugins import import_dotted


@pytest.mark.parametrize("name", ["Fraction", "", ".Fraction", "fractions.", "a b.C", "fractions..Fraction"])
def test_what_is_no_dotted_name_is_refused_before_any_import(name):
    with pytest.raises(ConfigError, match="is no dotted name") as caught:
        import_dotted(name, "number")
    assert "write a dotted name such as my_package.MyClass" in caught.value.hint


def test_a_home_gives_the_dotted_name_that_is_meant():
    with pytest.raises(ConfigError, match=r"hint: write fractions\.Fraction"):
        import_dotted("fraction", "number", home="fractions")


def test_near_misses_are_what_the_module_defines_not_what_it_imports():
    with pytest.raises(ConfigError, match="'Fraction'") as caught:
        import_dotted("fractions.Fractoin", "number")
    assert "Decimal" not in caught.value.hint
