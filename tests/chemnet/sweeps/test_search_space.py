"""What a sweep varies is read as people type it, and checked before anything is trained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chemnet.config import load_config
from chemnet.errors import ConfigError
from chemnet.sweeps.search_space import Choice, Range, alternatives, grid, read_space, with_space_words


def space_of(*words: str):
    return read_space(load_config(overrides=with_space_words(words)))


def test_a_comma_separates_alternatives_in_the_type_of_the_key():
    space = space_of(
        "optimizer.lr=1e-3,5e-4", "model.Autoencoder.latent_dim=8,12,14", "scheduler.name=false,X"
    )
    assert space["optimizer.lr"] == Choice((1e-3, 5e-4))
    assert space["model.Autoencoder.latent_dim"] == Choice((8, 12, 14))
    assert space["scheduler.name"] == Choice((False, "X"))


def test_a_list_is_one_value_and_lists_are_alternatives():
    assert with_space_words(["model.Autoencoder.hidden=[320,160]"]) == ["model.Autoencoder.hidden=[320,160]"]
    space = space_of("model.Autoencoder.hidden=[320,160],[160, 80]")
    assert space["model.Autoencoder.hidden"] == Choice(((320, 160), (160, 80)))


def test_quotes_protect_commas():
    assert alternatives("'a,b',\"c,d\"") == ["'a,b'", '"c,d"']
    assert with_space_words(["train.experiment_name='a,b'"]) == ["train.experiment_name='a,b'"]


def test_ranges_have_the_type_of_their_key():
    space = space_of(
        "optimizer.lr=log:1e-4..1e-2", "model.Autoencoder.latent_dim=8..20", "train.gradient_clip=1..4"
    )
    assert space["optimizer.lr"] == Range(1e-4, 1e-2, logarithmic=True, whole=False)
    assert space["model.Autoencoder.latent_dim"] == Range(8, 20, logarithmic=False, whole=True)
    assert space["train.gradient_clip"] == Range(1.0, 4.0, logarithmic=False, whole=False)


def test_keys_of_classes_keep_their_quotes():
    space = space_of("'torch.optim.AdamW'.weight_decay=0,1e-4")
    assert space == {"'torch.optim.AdamW'.weight_decay": Choice((0.0, 1e-4))}
    load_config().replace(grid(space)[1])


def test_files_and_python_give_lists_or_text(tmp_path):
    file = tmp_path / "sweep.toml"
    file.write_text('[sweep.space]\n"optimizer.lr" = [1e-3, 5e-4]\nmodel.Autoencoder.latent_dim = "8..20"\n')
    space = read_space(load_config([file]))
    assert space["optimizer.lr"] == Choice((1e-3, 5e-4))
    assert space["model.Autoencoder.latent_dim"] == Range(8, 20, logarithmic=False, whole=True)


def test_the_written_configuration_holds_the_same_space(tmp_path):
    from chemnet.config.manager import write_config

    words = ["'torch.optim.AdamW'.lr=1e-3,5e-4", "model.Autoencoder.hidden=[32,16],[8]"]
    config = load_config(overrides=with_space_words(words))
    write_config(config, tmp_path / "written.toml")
    assert read_space(load_config([tmp_path / "written.toml"])) == read_space(config)


def test_a_grid_is_every_combination_once():
    points = grid(space_of("optimizer.lr=1e-3,5e-4", "model.Autoencoder.latent_dim=8,12,14"))
    assert len(points) == 6
    assert points[:2] == [
        {"optimizer.lr": 1e-3, "model.Autoencoder.latent_dim": 8},
        {"optimizer.lr": 1e-3, "model.Autoencoder.latent_dim": 12},
    ]


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("optimizer.lr=1e-3,", "an alternative is empty"),
        ("optimizer.lr=1e-3,1e-3", "0.001 is given twice"),
        ("optimizer.lr=1e-3,fast", "one of the values of optimizer.lr: .*'fast' is of type"),
        ("optimizer.lr=1e-3,-1", "out of range"),
        ("model.Autoencoder.hidden=320,160", "takes a list|one of the values of model.Autoencoder.hidden"),
        ("model.Autoencoder.hidden=[320,160],[80", "does not close"),
        ("optimizer.speed=1,2", r"no key 'optimizer\.speed'"),
        ("train.component=a,b", r"train\.component cannot be swept"),
        ("general.results_dir=a,b", r"general\.results_dir cannot be swept"),
        ("optimizer.lr=1e-2..1e-4", "goes from a number to a larger one"),
        ("optimizer.lr=log:0..1", "out of range|begins above 0"),
        ("model.Autoencoder.latent_dim=2.5..8", "is of type"),
        ("train.epochs=5", "the sweep varies nothing"),
    ],
)
def test_what_cannot_be_swept_is_refused_in_words(word, told):
    with pytest.raises(ConfigError, match=told):
        space_of(word)


def test_a_list_key_given_bare_numbers_is_told_how_to_write_lists():
    with pytest.raises(ConfigError) as caught:
        space_of("model.Autoencoder.hidden=320,160")
    assert "[320,160],[160,80]" in (caught.value.hint or "")


def test_a_range_needs_a_number_of_trials():
    with pytest.raises(ConfigError, match=r"optimizer\.lr: a range is drawn from") as caught:
        grid(space_of("optimizer.lr=1e-4..1e-2"))
    assert "--trials" in (caught.value.hint or "")


@given(st.lists(st.floats(1e-6, 1.0), min_size=2, max_size=5, unique=True))
def test_every_list_of_numbers_is_read_as_typed(values):
    word = f"optimizer.lr={','.join(map(repr, values))}"
    assert space_of(word)["optimizer.lr"] == Choice(tuple(values))
