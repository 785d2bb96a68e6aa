"""TOML that nobody writes by hand is refused in plain words, before anything walks over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chemnet.config import load_config
from chemnet.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a = " + "[" * 10_000, "nested"),
        ("[" + ".".join(["a"] * 10_000) + "]", "nested"),
        ("a = " + "{b = " * 40 + "1" + "}" * 40, "nested"),
        ("train.epochs = " + "9" * 400, "64 are allowed"),
        ("train.epochs = " + "9" * 9_000, "limit"),
    ],
)
def test_a_file_that_is_too_deep_or_holds_too_large_a_number_is_refused(
    tmp_path: Path, text: str, match: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=match):
        load_config([file])


def test_a_word_of_thousands_of_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a configuration key"):
        load_config([], [".".join(["a"] * 10_000) + "=1"])
