"""A verb that finds its input takes the newest that was made from what its configuration says."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chemnet.config import ConfigDict, load_config
from chemnet.errors import ResultsError
from chemnet.results import ResultDirectory, ResultWriter, Wanted, newest_input, resolve_input

Configure = Callable[..., ConfigDict]


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Return a function that merges words into a configuration with a results folder."""
    return lambda *words: load_config(overrides=[f"general.results_dir={tmp_path / 'results'}", *words])


def made(config: ConfigDict, verb: str, component: str | None = None, **parents: Any) -> ResultDirectory:
    """Make a result of a verb."""
    with ResultWriter(config, verb, component=component, parents=parents) as writer:
        (writer.path / "file.txt").write_text(writer.path.name)
    assert writer.result is not None
    return writer.result


def found(config: ConfigDict, verb: str = "preprocess", key: str = "train.preprocess_dir") -> ResultDirectory:
    return resolve_input(config, key, verb)


def test_each_configuration_finds_what_was_made_from_its_own_table(configure: Configure) -> None:
    a, b = (configure(f"data_set.path={name}.h5") for name in "ab")
    of_a, of_b = made(a, "preprocess"), made(b, "preprocess")
    assert (found(a).path, found(b).path) == (of_a.path, of_b.path)


def test_it_says_which_and_why_and_warns_of_a_newer_one(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = (configure(f"data_set.path={name}.h5") for name in "ab")
    of_a, of_b = made(a, "preprocess"), made(b, "preprocess")
    with caplog.at_level(logging.INFO, logger="chemnet"):
        found(b)
        (plain,) = caplog.messages
        assert plain == f"train.preprocess_dir: using {of_b.name} (the newest)"
        caplog.clear()
        found(a)
    which, passed_over = caplog.messages
    assert which == f"train.preprocess_dir: using {of_a.name} (the newest of this configuration)"
    assert f"skipped {of_b.name}" in passed_over
    assert "b.h5" in passed_over


def test_a_result_of_other_data_is_refused_with_the_way_to_take_it_nonetheless(configure: Configure) -> None:
    of_b = made(configure("data_set.path=b.h5", "preprocess.window=9"), "preprocess")
    with pytest.raises(
        ResultsError, match=r"was made from this configuration.*preprocess\.window = 9, here 8"
    ) as caught:
        found(configure("preprocess.window=8"))
    assert "run `chemnet preprocess` with this configuration" in str(caught.value.hint)
    named = configure("preprocess.window=8", f"train.preprocess_dir={of_b.path}")
    assert found(named).path == of_b.path


def test_a_configuration_that_says_nothing_of_the_data_takes_the_newest(configure: Configure) -> None:
    made(configure(), "preprocess")
    newest = made(configure("data_set.path=b.h5", "preprocess.window=9"), "preprocess")
    assert found(configure("train.epochs=3")).path == newest.path


def test_a_setting_that_only_one_of_them_was_made_with_tells_them_apart(configure: Configure) -> None:
    plain = made(configure("data_set.path=a.h5"), "preprocess")
    made(configure("data_set.path=a.h5", "preprocess.stride=4"), "preprocess")
    assert found(configure("data_set.path=a.h5")).path == plain.path


def test_a_default_makes_no_claim_where_nothing_else_is_there(
    configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    only = made(configure("data_set.path=a.h5", "preprocess.stride=4"), "preprocess")
    with caplog.at_level(logging.INFO, logger="chemnet"):
        assert found(configure("data_set.path=a.h5", "general.seed=7")).path == only.path
    assert "preprocess.stride = 4, here 8" in caplog.text


def test_the_data_behind_a_training_count_however_many_verbs_lie_between(configure: Configure) -> None:
    a, b = (configure(f"data_set.path={name}.h5") for name in "ab")
    latents = []
    for config in (a, b):
        trained = made(configure(), "train", component="ae", preprocess=made(config, "preprocess"))
        latents.append(made(configure(), "infer", component="ae", train=trained))
    assert found(a, "infer", "umap.infer_dir").path == latents[0].path
    assert found(b, "infer", "umap.infer_dir").path == latents[1].path


def test_simulated_sets_are_told_apart_by_how_they_were_simulated(configure: Configure) -> None:
    few, many = (configure(f"simulate.n_tracers={n}") for n in (10, 1000))
    sets = [made(config, "simulate") for config in (few, many)]
    assert found(few, "simulate", "data_set.path").path == sets[0].path
    splits = [
        # as `preprocess` writes it: the path is where the set was found
        made(config.replace({"data_set.path": str(one.path / "tracers.h5")}), "preprocess", simulate=one)
        for config, one in zip((few, many), sets, strict=True)
    ]
    assert [found(config).path for config in (few, many)] == [one.path for one in splits]
    how_many_at_once = configure("simulate.n_tracers=10", "simulate.workers=3")
    assert found(how_many_at_once).path == splits[0].path


def test_a_table_that_was_named_is_not_mistaken_for_a_simulated_one(configure: Configure) -> None:
    simulated = made(configure(), "simulate")
    config = configure().replace({"data_set.path": str(simulated.path / "tracers.h5")})
    made(config, "preprocess", simulate=simulated)
    with pytest.raises(ResultsError, match="was made from this configuration"):
        found(configure("data_set.path=a.h5"))


def test_the_named_component_comes_first_where_there_is_one(configure: Configure) -> None:
    data = made(configure(), "preprocess")
    first = made(configure(), "train", component="autoencoder", preprocess=data)
    newest = made(configure(), "train", component="emulator", preprocess=data, autoencoder=first)
    wanted = {"autoencoder": first, "emulator": newest, "nobody": newest}
    for component, result in wanted.items():
        config = configure(f"train.component={component}")
        assert found(config, "train", "infer.model_dir").path == result.path
    # for `train` it names what is to be made
    assert (
        found(configure("train.component=autoencoder"), "train", "train.autoencoder_dir").path == newest.path
    )


def test_a_project_that_moved_as_a_whole_finds_its_results(configure: Configure, tmp_path: Path) -> None:
    home = tmp_path / "home"
    words = [f"general.results_dir={home / 'results'}", f"data_set.path={home / 'a.h5'}"]
    made(load_config(overrides=words), "preprocess")
    shutil.move(home, tmp_path / "elsewhere")
    moved = load_config(overrides=[word.replace("home", "elsewhere") for word in words])
    assert newest_input(moved, "train.preprocess_dir", Wanted("preprocess")) is not None


def test_nothing_is_found_where_nothing_is(configure: Configure) -> None:
    assert newest_input(configure("data_set.path=a.h5"), "train.preprocess_dir", Wanted("preprocess")) is None
