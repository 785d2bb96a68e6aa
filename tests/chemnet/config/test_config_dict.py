"""The merged configuration as code sees it."""

import pickle

import pytest

from chemnet.config import ConfigDict, load_config
from chemnet.errors import ConfigError


@pytest.fixture
def config():
    return ConfigDict({"train": {"epochs": 3, "betas": [0.9, 0.99]}, "seed": 1})


def test_a_key_without_default_raises_and_names_the_nearest(config):
    with pytest.raises(ConfigError, match=r"'train\.epoch'.*\n.*did you mean 'epochs'"):
        config["train"]["epoch"]


def test_get_takes_no_second_default(config):
    assert config["train"].get("epochs", 99) == 3
    with pytest.raises(ConfigError, match=r"train\.patience"):
        config["train"].get("patience", 7)


def test_nothing_can_be_assigned(config):
    with pytest.raises(ConfigError, match="immutable"):
        config["train"]["epochs"] = 4
    with pytest.raises(ConfigError, match="immutable"):
        config.train = 4
    with pytest.raises(TypeError):
        config["train"]["betas"][0] = 0.5
    assert config["train"]["epochs"] == 3


def test_to_dict_is_a_copy(config):
    copy = config.to_dict()
    copy["train"]["epochs"] = 8
    copy["train"]["betas"].append(1.0)
    assert config["train"]["epochs"] == 3
    assert len(config["train"]["betas"]) == 2


def test_replace_changes_a_copy_and_checks_it():
    config = load_config()
    changed = config.replace({"general.seed": 7})
    assert (config["general"]["seed"], changed["general"]["seed"]) == (42, 7)
    with pytest.raises(ConfigError, match=r"unknown configuration key 'general\.sede'"):
        config.replace({"general.sede": 7})
    with pytest.raises(ConfigError, match="allowed: int"):
        config.replace({"general.seed": "seven"})


def test_lookup_and_help_take_dotted_keys(capsys):
    config = load_config()
    assert config.lookup("general.seed") == 42
    config.help("general.seed")
    printed = capsys.readouterr().out
    assert "general.seed = 42" in printed
    assert "seed of every random choice" in printed


def test_it_travels_to_another_process(config):
    assert pickle.loads(pickle.dumps(config)) == config


def test_replace_takes_a_list_as_the_configuration_hands_it_out():
    config = load_config()
    assert config.replace({"data_set.physical": config["data_set"]["physical"]}) == config
