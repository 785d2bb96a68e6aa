"""The merge of defaults, files and words, and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import ConfigManager, load_config
from chemnet.config.manager import PACKAGED_DEFAULTS, load_result_config, write_config
from chemnet.config.schema import Schema, scan
from chemnet.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def _write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return _write


def test_every_default_has_a_comment():
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    without = [".".join(key) for key, spec in schema.keys.items() if not spec.comment]
    assert without == []


def test_every_default_is_accepted_by_its_own_type():
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    for spec in schema.keys.values():
        assert spec.accept(spec.default, "defaults") == spec.default


def test_later_files_win_and_words_win_over_files(write):
    first = write("first.toml", "[general]\nseed = 1\nlog_level = 'error'\n")
    second = write("second.toml", "[general]\nseed = 2\n")
    config = load_config([first, second])
    assert (config["general"]["seed"], config["general"]["log_level"]) == (2, "error")
    assert load_config([first, second], ["general.seed=3"])["general"]["seed"] == 3


@given(st.permutations([1, 2, 3, 4]))
def test_the_last_word_counts(order):
    words = [f"general.seed={value}" for value in order]
    assert load_config(overrides=words)["general"]["seed"] == order[-1]


def test_a_file_extends_others_relative_to_itself(write):
    write("base/base.toml", "[general]\nseed = 5\ndata_dir = 'beside'\n")
    top = write("runs/top.toml", "extends = ['../base/base.toml']\n[general]\nlog_level = 'debug'\n")
    config = load_config([top])
    assert config["general"]["seed"] == 5
    assert config["general"]["data_dir"] == str(top.parent.parent / "base" / "beside")


def test_files_that_extend_each_other_in_a_circle_are_refused(write):
    write("a.toml", "extends = ['b.toml']\n")
    b = write("b.toml", "extends = ['a.toml']\n")
    with pytest.raises(ConfigError, match="circle"):
        load_config([b])


def test_an_unknown_key_names_file_line_and_nearest(write):
    path = write("run.toml", "# a comment\n\n[general]\nseeed = 4\n")
    with pytest.raises(ConfigError) as caught:
        load_config([path])
    assert f"{path}:4" in str(caught.value)
    assert "'general.seeed'" in str(caught.value)
    assert "did you mean 'general.seed'" in str(caught.value)


def test_a_wrong_type_names_file_line_and_what_is_allowed(write):
    path = write("run.toml", "[general]\nlog_level = 'info'\nseed = 'four'\n")
    with pytest.raises(ConfigError, match=rf"{path}:3.*general\.seed = 'four'.*allowed: int"):
        load_config([path])


def test_a_bool_is_no_int():
    with pytest.raises(ConfigError, match="allowed: int"):
        load_config(overrides=["general.seed=true"])


def test_a_choice_outside_the_list_is_refused_with_the_near_miss():
    with pytest.raises(ConfigError, match=r"one of .*'debug'") as caught:
        load_config(overrides=["general.log_level=debgu"])
    assert "did you mean 'debug'" in str(caught.value)


def test_a_table_given_a_value_says_so(write):
    with pytest.raises(ConfigError, match=r"'general' is a table.*\n.*general\.results_dir"):
        load_config(overrides=["general=3"])


def test_a_word_without_its_table_suggests_the_full_key():
    with pytest.raises(ConfigError, match=r"did you mean .*'general\.seed'"):
        load_config(overrides=["seed=3"])


@pytest.mark.parametrize("text", ["[general\nseed = 1", "seed = \n", "\x00"])
def test_a_file_that_is_no_toml_is_named(write, text):
    path = write("broken.toml", text)
    with pytest.raises(ConfigError, match=f"{path} is not valid TOML"):
        load_config([path])


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("run.toml", '[data_set]\npath = "C:\\data\\a.h5"\n', "backslash begins an escape"),
        ("run.toml", '[data_set]\npath = "C:\\Users\\me"\n', "backslash begins an escape"),
        ("run.toml", "general:\n  seed: 3\n", "looks like YAML"),
        ("run.yaml", "general:\n  seed: 3\n", "looks like YAML"),
        ("run.toml", '{"general": {"seed": 3}}\n', "looks like JSON"),
        ("run.json", '{"general": {"seed": 3}}\n', "looks like JSON"),
        ("run.toml", "[simulate]\npandas_layout = True\n", "small letters"),
        ("run.toml", "[train]\ncomponent = None\n", "false means not set"),
        ("run.toml", "[train]\nepochs = 3\nepochs = 4\n", "given twice"),
        ("run.toml", "[train]\nepochs = 3\n[train]\nbatch_size = 4\n", "given twice"),
        ("run.toml", "[train]\ncomponent = first\n", "strings need quotes"),
        ("tracers.csv", "Time,Density\n0,1e4\n", "data_set.path=tracers.csv"),
    ],
)
def test_a_file_that_is_no_toml_is_told_what_it_may_be(write, name, text, cause):
    with pytest.raises(ConfigError) as caught:
        load_config([write(name, text)])
    assert cause in caught.value.hint


def test_a_table_or_a_file_in_another_encoding_is_no_configuration(tmp_path):
    for name, cause in (("tracers.h5", "data_set.path=tracers.h5"), ("run.toml", "as UTF-8")):
        (tmp_path / name).write_bytes("[general]\nseed = 3\n".encode("utf-16"))
        with pytest.raises(ConfigError) as caught:
            load_config([tmp_path / name])
        assert cause in caught.value.hint


def test_a_byte_order_mark_is_no_fault(tmp_path):
    (tmp_path / "run.toml").write_text("[general]\nseed = 3\n", encoding="utf-8-sig")
    assert load_config([tmp_path / "run.toml"])["general"]["seed"] == 3


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cuda:", "mps"])
def test_a_device_that_is_none_is_told_with_the_allowed_ones(device):
    with pytest.raises(
        ConfigError, match=r"general\.device = .*one of 'auto', 'cpu', 'cuda', 'cuda:<index>'"
    ):
        load_config(overrides=[f"general.device={device}"])
    assert load_config(overrides=["general.device=cuda:12"])["general"]["device"] == "cuda:12"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no such configuration file: .*absent\.toml"):
        load_config([tmp_path / "absent.toml"])


def test_the_users_file_counts_when_no_other_is_named(write, tmp_path, monkeypatch):
    write("chemnet_config.toml", "[general]\nseed = 8\n")
    other = write("other.toml", "[general]\nlog_level = 'error'\n")
    monkeypatch.chdir(tmp_path)
    assert load_config()["general"]["seed"] == 8
    assert load_config([other])["general"]["seed"] == 42


def test_tables_named_after_a_class_take_any_keyword():
    config = load_config(overrides=["'torch.optim.SGD'.momentum=0.9"])
    assert config["torch.optim.SGD"]["momentum"] == 0.9


def test_the_written_configuration_reproduces_itself(write, tmp_path):
    path = write(
        "run.toml", "[general]\nseed = 3\nresults_dir = 'out'\n['torch.optim.SGD']\nmomentum = 0.5\n"
    )
    manager = ConfigManager([path])
    manager.write(tmp_path / "elsewhere.toml")
    assert load_config([tmp_path / "elsewhere.toml"]) == manager.config


def test_a_configuration_that_was_edited_inside_a_result_is_refused_as_the_results_own(tmp_path):
    file = tmp_path / "runtime_config.toml"
    config = load_config(overrides=["train.epochs=3"])
    write_config(config, file)
    assert load_result_config(file) == config
    file.write_text(file.read_text().replace("epochs = 3", "epochs = 4"))
    with pytest.raises(ConfigError, match="changed after it was written"):
        load_result_config(file)


def test_a_refused_set_leaves_the_configuration_as_it_was():
    manager = ConfigManager()
    with pytest.raises(ConfigError, match="seeed"):
        manager.set("general.seeed", 3)
    manager.set("general.seed", 9)
    assert manager.config["general"]["seed"] == 9


def test_explain_tells_value_meaning_and_origin(write):
    path = write("run.toml", "[general]\nseed = 3\n")
    facts = ConfigManager([path]).explain("general.seed")
    assert facts["value"] == 3
    assert facts["set_by"] == f"{path}:2"
    assert facts["default"] == 42
    assert ConfigManager().explain("general.seed")["set_by"].startswith("default (default_config.toml:")


def test_a_dotted_model_name_brings_its_packages_defaults(tmp_path, monkeypatch):
    package = tmp_path / "lonely_plugin"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "default_config.toml").write_text(
        "[model.Lonely]\n# neurons of the hidden layer\nhidden = 8\n"
    )
    (tmp_path / "extra.toml").write_text("[model]\nname = 'lonely_plugin.models.Lonely'\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = load_config([tmp_path / "extra.toml"], ["model.Lonely.hidden=9"])
    assert config["model"]["Lonely"]["hidden"] == 9
    with pytest.raises(ConfigError, match="allowed: int"):
        load_config([tmp_path / "extra.toml"], ["model.Lonely.hidden=many"])


def test_scan_finds_the_line_and_comment_of_each_key():
    places = scan("[a]\n# first\n# second\nx = 1\n\n# lost\n\ny = 2 # trailing\n['b.c']\n\"d e\" = 3\n")
    assert places[("a", "x")] == (4, "first second")
    assert places[("a", "y")] == (8, "")
    assert places[("b.c", "d e")][0] == 10


@pytest.mark.parametrize(
    ("word", "allowed"),
    [
        ("train.epochs=0", "int >= 1"),
        ("model.Autoencoder.dropout=1.0", "float >= 0 < 1"),
        ("train.gradient_clip=-1", "float > 0 or false"),
        ("general.seed=-1", "int >= 0"),
        ("optimizer.lr=nan", "float > 0 or false"),
    ],
)
def test_a_number_outside_its_range_is_refused(word, allowed):
    with pytest.raises(ConfigError, match=rf"{word.partition('=')[0]} = .*out of range; allowed: {allowed}"):
        load_config(overrides=[word])


def test_an_optional_number_may_be_unset():
    assert load_config(overrides=["train.gradient_clip=false"])["train"]["gradient_clip"] is False
