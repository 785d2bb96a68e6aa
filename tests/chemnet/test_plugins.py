"""Dotted names: what they import, who may name them, and how they are refused."""

import sys
from collections import OrderedDict

import pytest
from torch import nn
from torch.optim import Optimizer

from chemnet import plugins
from chemnet.config import ConfigManager, load_config, load_result_config
from chemnet.errors import ConfigError, UntrustedNameError
from chemnet.plugins import import_dotted


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the working directory that nobody has imported or named, and what it leaves on import."""
    (tmp_path / "stranger.py").write_text("from torch import nn\nclass Net(nn.Module): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.setattr(plugins, "_trusted", set())
    yield tmp_path
    sys.modules.pop("stranger", None)


def is_imported() -> bool:
    return "stranger" in sys.modules


@pytest.mark.parametrize("name", ["Fraction", "", ".Fraction", "fractions.", "a b.C", "fractions..Fraction"])
def test_what_is_no_dotted_name_is_refused_before_any_import(name):
    with pytest.raises(ConfigError, match="is no dotted name") as caught:
        import_dotted(name, "number")
    assert "write a dotted name such as my_package.MyClass" in caught.value.hint


def test_a_home_gives_the_dotted_name_that_is_meant():
    with pytest.raises(ConfigError, match=r"hint: write fractions\.Fraction"):
        import_dotted("fraction", "number", home="fractions")


def test_near_misses_are_what_the_module_defines_not_what_it_imports():
    plugins.trust("fractions")
    with pytest.raises(ConfigError, match="'Fraction'") as caught:
        import_dotted("fractions.Fractoin", "number")
    assert "Decimal" not in caught.value.hint


def test_a_name_that_the_user_did_not_give_imports_nothing(module):
    with pytest.raises(UntrustedNameError, match="nothing was imported") as caught:
        import_dotted("stranger.Net", "model", base=nn.Module)
    assert 'general.trust_plugins = ["stranger"]' in caught.value.hint
    assert not is_imported()


@pytest.mark.parametrize(
    "words",
    [
        ["model.name=stranger.Net"],
        ["optimizer.name=stranger.Net"],
        ["sweep.space.'model.name'=stranger.Net,Autoencoder"],
        ['general.trust_plugins=["stranger"]'],
        ['general.trust_plugins=["elsewhere", "stranger.Net"]'],
    ],
)
def test_a_name_in_the_users_configuration_may_be_imported(module, words):
    load_config(overrides=words)
    assert import_dotted("stranger.Net", "model", base=nn.Module).__name__ == "Net"


def test_names_that_are_set_from_python_are_the_users(module):
    ConfigManager().set("model.name", "stranger.Net")
    assert plugins.is_trusted("stranger.Net")
    assert not plugins.is_trusted("stranger.Other")


def test_a_configuration_in_a_result_names_nothing_that_may_be_imported(module):
    result = module / "20260102-030405-train-abcdef"
    result.mkdir()
    (result / "result.toml").touch()
    file = result / "runtime_config.toml"
    file.write_text('[general]\ntrust_plugins = ["stranger"]\n[optimizer]\nname = "stranger.Net"\n')
    for load in (load_result_config, lambda path: load_config([path])):
        load(file)
        with pytest.raises(UntrustedNameError, match=r"runtime_config\.toml:4: optimizer\.name: the"):
            import_dotted("stranger.Net", "optimizer")


def test_trusting_the_last_word_of_the_user(module):
    load_config(overrides=['general.trust_plugins=["stranger"]', "general.trust_plugins=[]"])
    assert not plugins.is_trusted("stranger.Net")


def test_what_is_no_package_cannot_be_trusted():
    with pytest.raises(ConfigError, match=r"general\.trust_plugins holds 'my-plugin'"):
        load_config(overrides=['general.trust_plugins=["my-plugin"]'])


@pytest.mark.parametrize(
    "name", ["torch.nn.Linear", "chemnet.errors.DataError", "torch.optim.lr_scheduler.math"]
)
def test_a_shipped_class_of_another_kind_is_refused(name):
    with pytest.raises(UntrustedNameError, match=r"no class that derives from torch\.optim"):
        import_dotted(name, "optimizer", base=Optimizer)


@pytest.mark.parametrize(
    "name", ["chemnet.__main__.main", "torch.nn._reduction.warnings", "torch.load.x", "os.system"]
)
def test_nothing_private_and_nothing_beside_is_shipped(name):
    with pytest.raises(UntrustedNameError, match="nothing was imported"):
        import_dotted(name, "model")


def test_a_class_that_is_registered_needs_no_import():
    known = [OrderedDict]
    assert import_dotted("collections.OrderedDict", "mapping", known=known) is OrderedDict
    with pytest.raises(UntrustedNameError):
        import_dotted("collections.OrderedDict", "mapping")
