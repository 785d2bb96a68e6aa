"""Names that configuration can ask for."""

import subprocess
import sys

import pytest

from chemnet import plugins
from chemnet.errors import ConfigError
from chemnet.registry import VERBS, Registry, verb_descriptions


@pytest.fixture
def registry():
    return Registry("pudding", {"Builtin": "json"})


def test_a_class_is_found_under_its_name_or_the_one_it_was_given(registry):
    @registry.register
    class Rice: ...

    @registry.register(name="semolina")
    class Other: ...

    assert registry.get("Rice") is Rice
    assert registry.get("semolina") is Other
    assert {"Builtin", "Rice", "semolina"} <= set(registry.names())


def test_a_second_class_under_a_name_is_refused(registry):
    registry.register(type("Rice", (), {"__module__": "one"}))
    with pytest.raises(ConfigError, match=r"'Rice' is taken by one\.Rice; two\.Rice cannot"):
        registry.register(type("Rice", (), {"__module__": "two"}))
    with pytest.raises(ConfigError, match="'Builtin' is taken by json"):
        registry.register(type("Builtin", (), {"__module__": "elsewhere"}))


def test_the_same_class_may_be_registered_again_as_a_notebook_does(registry):
    first = registry.register(type("Rice", (), {"__module__": "one"}))
    again = registry.register(type("Rice", (), {"__module__": "one"}))
    assert registry.get("Rice") is again is not first


def test_an_unknown_name_lists_near_misses_and_what_there_is(registry):
    registry.register(name="semolina")(type("S", (), {}))
    with pytest.raises(ConfigError, match=r"no pudding is called 'semolena'\n.*'semolina'.*Builtin"):
        registry.get("semolena")


def test_a_dotted_name_is_imported_on_demand(registry, tmp_path, monkeypatch):
    (tmp_path / "far_kitchen.py").write_text("class Trifle: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins.trust("far_kitchen", "no_kitchen")
    assert registry.get("far_kitchen.Trifle").__name__ == "Trifle"
    with pytest.raises(ConfigError, match=r"has no pudding 'Trifel'\n.*did you mean 'Trifle'"):
        registry.get("far_kitchen.Trifel")
    with pytest.raises(ConfigError, match=r"cannot import the pudding 'no_kitchen\.Trifle'"):
        registry.get("no_kitchen.Trifle")


def test_every_class_is_prepared_as_it_is_registered(tmp_path, monkeypatch):
    (tmp_path / "sweetener.py").write_text("def sweeten(cls):\n    cls.sugar = 1\n    return cls\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("pudding", prepare="sweetener:sweeten")
    assert registry.register(type("Rice", (), {})).sugar == 1


def test_every_verb_has_the_description_that_help_prints():
    for name, text in verb_descriptions().items():
        verb = VERBS.get(name)
        assert verb.cli_name == name
        assert verb.description == text


def test_a_broken_plugin_warns_and_leaves_chemnet_working(tmp_path):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[chemnet.plugins]\nbroken = broken_plugin\n")
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no good')\n")
    code = "import sys; from chemnet.cli import main; sys.exit(main(['--help']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "the plugin 'broken' (broken_plugin) could not be loaded: no good" in done.stderr
