"""The defaults keep their own rules: what a comment offers, the key accepts."""

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


@pytest.mark.parametrize(
    "spec",
    [spec for spec in KEYS if re.search(r"\bfalse: ", spec.comment)],
    ids=lambda spec: join_key(spec.key),
)
def test_a_key_whose_comment_offers_false_accepts_it(spec: KeySpec) -> None:
    assert spec.accept(False, "a test") is False
