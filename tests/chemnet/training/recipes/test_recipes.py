"""A recipe stands above the defaults and below what somebody chose."""

from __future__ import annotations

from pathlib import Path

import pytest

import chemnet.training.recipes
from chemnet.config import load_config
from chemnet.training.recipes import epochs_for, with_recipe

NAMES = [path.stem for path in Path(chemnet.training.recipes.__file__).parent.glob("*.toml")]


@pytest.mark.parametrize("name", NAMES)
def test_its_keys_are_those_of_the_configuration(name: str) -> None:
    config = with_recipe(load_config(), name, rows=13_000)
    assert config["optimizer"]["name"] == "chemnet.training.muon.Muon"
    assert config["train"]["window"] is not False


def test_what_somebody_chose_stays() -> None:
    config = load_config(overrides=["train.gradient_clip=7.5", "train.epochs=3"])
    after = with_recipe(config, "implicit", rows=13_000)
    assert (after["train"]["gradient_clip"], after["train"]["epochs"]) == (7.5, 3)
    assert after["train"]["window"] == 2


def test_more_rows_are_passed_over_in_fewer_epochs_that_still_take_longer() -> None:
    epochs = [epochs_for(100, rows) for rows in (5_000, 13_000, 50_000, 500_000)]
    assert epochs[0] == epochs[1] == 100 > epochs[2] > epochs[3] >= 5
    assert 50_000 * epochs[2] > 13_000 * epochs[1]
    rows = 130_000
    config = with_recipe(load_config(), "relaxation", rows)
    assert config["train"]["curriculum_epochs"] <= config["train"]["epochs"] < 100
