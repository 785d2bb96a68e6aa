"""Emulators that were trained one by one, joined into one deep ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from chemnet.errors import ModelError
from chemnet.models.contract import rebuild_model
from chemnet.models.model_file import brings_autoencoder, data_of, load_trained, read_model_file, role_of
from chemnet.models.weights import check_shapes
from chemnet.results import ResultDirectory
from chemnet.surrogate.predictor import Parts

ENSEMBLES = {"emulator": "LatentEnsemble", "direct_emulator": "DirectEnsemble"}
"""The ensemble that emulators of a role become."""


def joined_parts(results: Sequence[ResultDirectory]) -> Parts:
    """Return the networks of a surrogate whose members were trained one by one.

    Parameters
    ----------
    results
        Training results of emulators of one kind, on the same preprocess result and, if they emulate latents,
        around the same autoencoder.

    Raises
    ------
    ModelError
        When they are no emulators, or differ in kind, data, autoencoder or widths.
    """
    digests = [result.digest for result in results]
    for i, result in enumerate(results):
        _check_member(result, results[0])
        if result.digest in digests[:i]:
            raise ModelError(
                f"{result.name} is a member twice; an ensemble gains nothing from the same emulator",
                hint="name trainings that began with different seeds",
            )
    first, role = results[0], role_of(results[0])
    autoencoder = load_trained(first.parent("autoencoder")) if role == "emulator" else None
    members: list[Any] = [load_trained(result) for result in results]
    name, kind = ENSEMBLES[role], members[0].config["model"]["name"]
    table = {"name": name, f"{name}.member": kind, f"{name}.size": len(members)}
    config = members[0].config.replace({f"model.{key}": value for key, value in table.items()})
    ensemble: nn.Module = rebuild_model(config, data_of(first), autoencoder)
    for place, member, result in zip(ensemble.members, members, results, strict=True):  # type: ignore[arg-type]
        check_shapes(member.state_dict(), place.state_dict(), f"{result.name} beside {first.name}")
        place.load_state_dict(member.state_dict())
    return Parts(ensemble.eval(), autoencoder, autoencoder, data_of(first))


def _check_member(result: ResultDirectory, first: ResultDirectory) -> None:
    if role_of(result) not in ENSEMBLES:
        raise ModelError(
            f"{result.name} has the role '{role_of(result)}'; the members of an ensemble are emulators",
            hint="name training results of emulators",
        )
    if brings_autoencoder(result):
        raise ModelError(
            f"{result.name} was trained along with its own autoencoder; members share a frozen one",
            hint="train it with train_autoencoder=false",
        )
    if (kind := read_model_file(result)["name"]) != (wanted := read_model_file(first)["name"]):
        raise ModelError(
            f"{result.name} is a {kind}, {first.name} a {wanted}; the members of an ensemble are of one kind",
            hint="train them with the same model.name",
        )
    _check_table(result, first)
    for parent, ours in result.parents.items():
        if ours.digest != first.parents[parent].digest:
            raise ModelError(
                f"{result.name} and {first.name} were trained on different results of {parent}",
                hint="the members of an ensemble share splits and scalings: train them on the same one",
            )


def _check_table(result: ResultDirectory, first: ResultDirectory) -> None:
    """Refuse a member whose own configuration is another: the ensemble's members share one table."""
    kind = read_model_file(first)["name"]
    mine, theirs = (read_model_file(one)["table"] for one in (result, first))
    for key in sorted({*mine, *theirs}):
        if mine.get(key) != theirs.get(key):
            raise ModelError(
                f"{result.name} has model.{kind}.{key} = {mine.get(key)!r}, {first.name} has "
                f"{theirs.get(key)!r}; the members of an ensemble share their configuration",
                hint=f"train them with the same [model.{kind}]",
            )
