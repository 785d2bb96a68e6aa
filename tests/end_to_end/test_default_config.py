"""The defaults keep their own rules: every key explained, and every offer in a comment accepted."""

from __future__ import annotations

import re

import pytest

from chemnet.config import KeySpec, Schema
from chemnet.config.manager import PACKAGED_DEFAULTS
from chemnet.config.overrides import join_key


def packaged_keys() -> list[KeySpec]:
    """Every key of chemnet's own defaults."""
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    return list(schema.keys.values())


KEYS = packaged_keys()


def test_every_key_is_explained() -> None:
    silent = [join_key(spec.key) for spec in KEYS if len(spec.comment) < 8]
    assert not silent


@pytest.mark.parametrize(
    "spec",
    [spec for spec in KEYS if re.search(r"\bfalse: ", spec.comment)],
    ids=lambda spec: join_key(spec.key),
)
def test_a_key_whose_comment_offers_false_accepts_it(spec: KeySpec) -> None:
    assert spec.accept(False, "a test") is False


@pytest.mark.parametrize("spec", KEYS, ids=lambda spec: join_key(spec.key))
def test_every_default_is_a_value_that_its_key_accepts(spec: KeySpec) -> None:
    assert spec.accept(spec.default, "a test") == spec.default
