"""`ChemNet`: verbs as methods."""

import inspect
import logging

import pytest

from chemnet import ChemNet, ConfigDict
from chemnet.errors import ConfigError, NotFoundError
from chemnet.registry import VERBS
from chemnet.results import ResultWriter


def test_every_verb_is_a_documented_method_that_tab_completion_finds():
    chemnet = ChemNet()
    for name in VERBS.names():
        if name == "config":  # the merged configuration itself
            continue
        assert name in dir(chemnet)
        assert VERBS.get(name).description in getattr(chemnet, name).__doc__
        assert f".{name}()" in repr(chemnet)


def test_it_lists_what_can_be_named():
    chemnet = ChemNet()
    assert {"preprocess", "train"} <= set(chemnet.list_verbs())
    assert {"Autoencoder", "LatentEmulator"} <= set(chemnet.list_models())
    assert chemnet.list_datasets() == ["TracerTable"]


def test_a_typing_error_raises_attribute_error_with_the_nearest_verb():
    with pytest.raises(AttributeError, match="no verb or attribute 'trian'; did you mean train"):
        ChemNet().trian()


def test_set_config_is_checked_like_a_file():
    chemnet = ChemNet()
    chemnet.set_config("general.seed", 4)
    assert chemnet.config["general"]["seed"] == 4
    assert isinstance(chemnet.config, ConfigDict)
    with pytest.raises(ConfigError, match="did you mean"):
        chemnet.set_config("general.sed", 4)


def test_a_missing_configuration_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.toml"):
        ChemNet(tmp_path / "absent.toml")


def test_a_verb_returns_what_it_prints(tmp_path):
    chemnet = ChemNet(overrides=[f"general.results_dir={tmp_path}"])
    with ResultWriter(chemnet.config, verb="infer") as writer:
        pass
    answer = chemnet.results()
    assert [row["name"] for row in answer.to_dict()["results"]] == [writer.result.name]
    assert writer.result.name in str(answer)


def test_a_verb_raises_what_the_command_line_tells(tmp_path):
    with pytest.raises(NotFoundError, match="no results in"):
        ChemNet(overrides=[f"general.results_dir={tmp_path}"]).results()


def test_the_log_level_follows_set_config():
    chemnet = ChemNet()
    chemnet.set_config("general.log_level", "error")
    assert logging.getLogger("chemnet").level == logging.ERROR
    chemnet.set_config("general.log_level", "info")
    assert logging.getLogger("chemnet").level == logging.INFO


def test_an_unknown_argument_names_the_nearest():
    with pytest.raises(TypeError, match=r"results\(\) has no argument 'treee'; did you mean 'tree'"):
        ChemNet().results(treee=True)


def test_a_method_shows_the_arguments_of_its_verb():
    words = list(inspect.signature(ChemNet().results).parameters)
    assert words == ["tree", "clean", "verify", "prune", "keep", "yes", "open"]


def test_arguments_may_stand_in_the_order_of_the_signature() -> None:
    assert ChemNet().explain("mlae").to_dict()["mlae"]["unit"] == "dex"
    with pytest.raises(TypeError, match=r"explain\(.*too many positional arguments"):
        ChemNet().explain("mlae", "lae99")
