"""Every fault of the user's input: one clear message, exit code 2, no traceback, no result left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import Outcome, chemnet, chemnet_process
from workspace import Workspace

Copy = Callable[..., Workspace]


def edit_table(workspace: Workspace, change: Callable[[Any], Any]) -> None:
    """Apply a change to the table of tracers, a pandas DataFrame."""
    import pandas as pd

    path = workspace.folder / "tracers.h5"
    table = pd.read_hdf(path, "df")
    changed = change(table)
    (table if changed is None else changed).to_hdf(path, key="df", mode="w")


def assert_refused(outcome: Outcome, *told: str) -> None:
    """The command ended as wrong input, said all of `told` and a next step, and showed no traceback."""
    assert outcome.code == 2, outcome
    for text in told:
        assert text in outcome.err
    assert "hint:" in outcome.err
    assert "Traceback" not in outcome.err


def assert_refuses(workspace: Workspace, words: list[str], *told: str) -> None:
    """The command ended as wrong input, said all of `told`, and left no result that was not there before."""
    before = workspace.made
    assert_refused(workspace.run(*words), *told)
    assert workspace.made == before


def test_a_missing_file(workspace: Workspace) -> None:
    assert_refuses(workspace, ["preprocess", "data_set.path=elsewhere.h5"], "elsewhere.h5")


def test_a_missing_configuration_file(workspace: Workspace) -> None:
    assert_refused(chemnet("preprocess", "-c", workspace.folder / "none.toml"), "none.toml")


def test_a_missing_column(workspace: Workspace) -> None:
    edit_table(workspace, lambda table: table.drop(columns="gasTemp"))
    assert_refuses(workspace, ["preprocess"], "gasTemp", "tracers.h5")


def test_a_value_that_is_not_a_number(workspace: Workspace) -> None:
    def change(table: Any) -> None:
        table.loc[37, "CO"] = np.nan

    edit_table(workspace, change)
    assert_refuses(workspace, ["preprocess"], "tracers.h5", "CO", "37", "nan")


def test_a_negative_abundance(workspace: Workspace) -> None:
    def change(table: Any) -> None:
        table.loc[41, "H2O"] = -1e-9

    edit_table(workspace, change)
    assert_refuses(workspace, ["preprocess"], "tracers.h5", "H2O", "41", "-1e-09")


def test_a_column_that_is_no_species(workspace: Workspace) -> None:
    edit_table(workspace, lambda table: table.rename(columns={"OH": "Xy7?"}))
    assert_refuses(workspace, ["preprocess"], "Xy7?")


def test_a_misspelt_physical_parameter_is_named_before_the_column_that_it_leaves_over(
    workspace: Workspace,
) -> None:
    assert_refuses(
        workspace,
        ["preprocess", 'data_set.physical=["Density","Radfeld","Av","gasTemp"]'],
        "no column 'Radfeld'",
        "Radfield",
    )


def test_tracers_shorter_than_a_window(workspace: Workspace) -> None:
    assert_refuses(workspace, ["preprocess", "preprocess.window=31"], "31", "30")


def test_an_unknown_key(workspace: Workspace) -> None:
    with workspace.config.open("a") as file:
        file.write("[visualize]\nmax_point = 5\n")
    line = len(workspace.config.read_text().splitlines())
    assert_refuses(workspace, ["preprocess"], f"tiny.toml:{line}", "max_point", "'visualize.max_points'")


def test_a_wrong_type(workspace: Workspace) -> None:
    assert_refuses(workspace, ["train", "train.epochs=many"], "train.epochs", "'many'", "int", "command line")


@pytest.mark.parametrize(
    ("verb", "word", "allowed"),
    [
        ("train", "model.Autoencoder.hidden=[-3]", "list of int >= 1"),
        ("train", "model.Autoencoder.hidden=[8,0]", "list of int >= 1"),
        ("train", "model.DirectRelaxation.hidden=[-1]", "non-empty list of int >= 1"),
        ("train", "model.LatentRelaxation.hidden=[]", "at least one"),
        ("train", "'chemnet.models.losses.ChemistryLoss'.power=-1", "float > 0"),
        ("train", "'chemnet.models.losses.ChemistryLoss'.scale=0", "float > 0"),
        ("train", "train.component=", "train.component"),
        ("train", "train.component=a/b", "'a/b' is no name"),
        ("train", "train.component=..", "'..' is no name"),
        ("preprocess", "data_set.path=", "data_set.path is empty"),
        ("network", "network.path=", "network.path is empty"),
        ("network", "network.neighbours=-1", "int >= 0"),
        ("simulate", "simulate.end_time=inf", "finite"),
        ("simulate", "simulate.rtol=nan", "float > 0 < 1"),
        ("benchmark", "benchmark.tracers_per_batch=0", "int >= 1"),
        ("benchmark", "benchmark.neighbour_rows=0", "int >= 1"),
        ("benchmark", "benchmark.floor=0", "float > 0 < 1"),
        ("benchmark", "benchmark.floor=-1", "float > 0 < 1"),
        ("benchmark", "benchmark.visible=-1", "float > 0"),
        ("benchmark", "benchmark.solver_tracers=-1", "int >= 0"),
    ],
)
def test_a_value_out_of_range(workspace: Workspace, verb: str, word: str, allowed: str) -> None:
    assert_refuses(workspace, [verb, word], word.partition("=")[0].rpartition(".")[2], allowed)


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.01])
def test_a_truncated_file(workspace: Workspace, kept: float) -> None:
    path = workspace.folder / "tracers.h5"
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert_refuses(workspace, ["preprocess"], "tracers.h5")


def test_weights_of_another_shape(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess", "train")
    weights = next(workspace.results.glob("*-train-*")) / "weights.safetensors"
    assert_refuses(
        workspace,
        ["train", f"train.model_weights_file={weights}", "model.Autoencoder.latent_dim=2"],
        "weights.safetensors",
        "3",
        "2",
    )


@pytest.mark.parametrize(
    ("verb", "first"),
    [
        ("train", "chemnet preprocess"),
        ("infer", "chemnet"),
        ("umap", "chemnet infer"),
        ("visualize", "chemnet umap"),
        ("save_to_database", "chemnet infer"),
        ("lookup", "chemnet save_to_database"),
    ],
)
def test_no_earlier_result(workspace: Workspace, verb: str, first: str) -> None:
    words = ("--id", "0-1") if verb == "lookup" else ()
    assert_refuses(workspace, [verb, *words], first)


def test_an_emulator_without_an_autoencoder(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess")
    assert_refuses(workspace, ["train", "model.name=LatentEmulator"], "autoencoder")


def test_a_damaged_result(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess", "train")
    weights = next(workspace.results.glob("*-train-*")) / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 0xFF
    weights.write_bytes(content)
    assert_refuses(workspace, ["infer"], "weights.safetensors")


def test_resume_and_pretrained_weights_at_once(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess", "train")
    trained = next(workspace.results.glob("*-train-*"))
    assert_refuses(
        workspace,
        ["train", f"train.resume={trained}", f"train.model_weights_file={trained / 'weights.safetensors'}"],
        "train.resume",
        "train.model_weights_file",
    )


def test_an_unknown_model_names_the_nearest(copy_of_chain: Copy) -> None:
    workspace = copy_of_chain("preprocess")
    assert_refuses(workspace, ["train", "model.name=Autoencodr"], "Autoencodr", "'Autoencoder'")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["optimizer.name=Adam"], "write torch.optim.Adam"),
        (["criterion.name=mse"], "write torch.nn.MSELoss"),
        (["scheduler.name=cosine"], "write torch.optim.lr_scheduler.Cosine"),
        (["scheduler.name=.x"], "write a dotted name"),
        (["'torch.optim.AdamW'.betas=[0.9]"], "betas = [0.9]"),
        (["mlflow.enabled=true", "mlflow.tracking_uri=nonsense://x"], "mlflow.tracking_uri"),
    ],
)
def test_a_part_of_the_recipe_that_cannot_be_built(copy_of_chain: Copy, words: list[str], told: str) -> None:
    workspace = copy_of_chain("preprocess")
    assert_refuses(workspace, ["train", *words], told)


def test_an_initial_abundance_that_is_no_number(workspace: Workspace) -> None:
    assert_refuses(workspace, ["simulate", 'simulate.initial={ H2 = "half" }'], "'H2'", "'half'")


def test_fractions_that_sum_to_more_than_one(workspace: Workspace) -> None:
    assert_refuses(workspace, ["preprocess", "preprocess.train_size=0.8"], "train_size", "1.2")


def shorten_tracer_three(table: Any) -> Any:
    """Leave tracer 3 twenty-one of its thirty rows."""
    return table[~((table["Model"] == 3) & (table["dstep"] > 20))]


def test_tracers_of_unequal_length(workspace: Workspace) -> None:
    edit_table(workspace, shorten_tracer_three)
    assert_refuses(workspace, ["preprocess"], "tracer '3' has 21 rows", "data_set.unequal_length")


def test_tracers_of_unequal_length_are_kept_on_request(workspace: Workspace) -> None:
    edit_table(workspace, shorten_tracer_three)
    made = workspace.result("preprocess", "data_set.unequal_length=keep")
    rows = 0
    for split in ("train", "validate", "test"):
        with h5py.File(made / f"{split}.h5") as file:
            rows += len(file["time"])
            lengths = np.diff(file["offsets"][:]).tolist()
            assert lengths == [21 if name == "3" else 30 for name in file["tracer_id"].asstr()[:]]
    assert rows == 12 * 30 - 9


def test_the_message_stands_alone_and_debug_adds_the_traceback(workspace: Workspace) -> None:
    words = ("preprocess", "-c", workspace.config, "data_set.path=elsewhere.h5")
    plain = chemnet_process(*words, cwd=workspace.folder)
    assert plain.code == 2
    assert len(plain.err.strip().splitlines()) == 2
    debugged = chemnet_process(*words, "--debug", cwd=workspace.folder)
    assert debugged.code == 2
    assert "Traceback" in debugged.err
    assert plain.err.strip() in debugged.err


def test_wrong_words_on_the_command_line(tmp_path: Path) -> None:
    assert_refused(chemnet("trian"), "trian", "train")
    assert chemnet("train", "--no-such-option").code == 2
    assert chemnet("train", "stray").code == 2
