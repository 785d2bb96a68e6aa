from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from torch import nn

from chemnet.errors import ModelError
from chemnet.models import contract, optimisation
from chemnet.models.autoencoders.autoencoder_base import AutoencoderBase
from chemnet.models.emulators.emulator import Emulator
from chemnet.models.emulators.spaces.space import Space
from chemnet.models.emulators.steps.step import Step
from chemnet.registry import MODELS


class Complete(nn.Module):
    """A model that states what the contract asks for, and no more."""

    def __init__(self, config: Any, data: Any) -> None:
        super().__init__()
        self.layer = nn.Linear(data.n_species, 1)

    def forward(self, batch: Any) -> torch.Tensor:
        return self.layer(batch["abundance"])

    def train_batch(self, batch: Any) -> Any:
        return self(batch).square().mean(), {}

    def infer_batch(self, batch: Any) -> Any:
        return {"latent": self(batch)}


def plain_init(self: Any, config: Any, data: Any) -> None:
    Complete.__init__(self, config, data)


def without(*names: str, **attributes: Any) -> type:
    """A model class that lacks some methods."""
    kept = {name: value for name, value in vars(Complete).items() if name not in names}
    return type("Lacking", (nn.Module,), {**kept, **attributes})


@pytest.mark.parametrize("name", ["forward", "train_batch", "infer_batch"])
def test_a_model_that_lacks_a_step_is_refused_by_name(name: str) -> None:
    with pytest.raises(ModelError, match=f"lacks {name}"):
        contract.equip_model(without(name))


def test_an_autoencoder_must_encode_and_decode() -> None:
    with pytest.raises(ModelError, match="lacks encode, decode"):
        contract.equip_model(without(role="autoencoder"))


def test_a_model_that_leaves_out_what_its_base_demands_is_refused_by_name() -> None:
    halfway = type("Halfway", (AutoencoderBase,), {"encode": lambda self, abundance: abundance})
    with pytest.raises(ModelError, match=r"Halfway .* lacks decode"):
        contract.equip_model(halfway)
    with pytest.raises(ModelError, match="Motionless states no space and no step"):
        type("Motionless", (Emulator,), {"role": "emulator"})


@pytest.mark.parametrize("unfinished", [contract.ChemModel, AutoencoderBase, Space, Step])
def test_a_base_alone_is_no_model(unfinished: type) -> None:
    with pytest.raises(TypeError, match="abstract"):
        unfinished()


@pytest.mark.parametrize(("attribute", "value"), [("role", "autoencodr"), ("feed", "columns")])
def test_an_unknown_role_or_feed_lists_what_is_allowed(attribute: str, value: str) -> None:
    with pytest.raises(ModelError, match=r"autoencoder|rows"):
        contract.equip_model(without(**{attribute: value}))


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no torch\.nn\.Module"):
        contract.equip_model(int)


def test_what_every_model_shares_is_added_and_nothing_is_replaced() -> None:
    def own(self: Any, path: Any) -> str:
        return "own"

    model = contract.equip_model(without(save=own))
    assert model.save is own
    assert model.role == "other"
    assert model.feed == "rows"
    assert model.make_optimizer is optimisation.make_optimizer
    shared = [
        name for name in vars(contract.ChemModel) if name.startswith(("make_o", "make_s", "load", "val"))
    ]
    assert len(shared) == 4
    assert all(getattr(model, name) is getattr(contract.ChemModel, name) for name in shared)


def test_an_equipped_model_has_the_configured_criterion(tiny: Any, row_description: Any) -> None:
    config = tiny({"criterion.name": "torch.nn.L1Loss"})
    model = contract.equip_model(type("Plain", (Complete,), {"__init__": plain_init}))(
        config, row_description
    )
    assert isinstance(model.criterion, nn.L1Loss)
    assert model.data is row_description


def test_a_models_own_criterion_wins_with_a_warning(
    tiny: Any, row_description: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def init(self: Any, config: Any, data: Any) -> None:
        Complete.__init__(self, config, data)
        self.criterion = nn.MSELoss()

    with caplog.at_level(logging.WARNING, logger="chemnet"):
        model = contract.equip_model(type("Own", (Complete,), {"__init__": init}))(tiny(), row_description)
    assert isinstance(model.criterion, nn.MSELoss)
    assert "defines its own criterion" in caplog.text


def test_a_model_that_makes_a_criterion_of_its_own_says_so(
    tiny: Any, row_description: Any, caplog: pytest.LogCaptureFixture
) -> None:
    own = {"make_criterion": lambda self, config, data: nn.MSELoss(), "decode": None, "encode": None}
    cls = type("Own", (AutoencoderBase,), own)
    with caplog.at_level(logging.WARNING, logger="chemnet"):
        model = cls(tiny(), row_description, 3)
    assert isinstance(model.criterion, nn.MSELoss)
    assert "defines its own criterion" in caplog.text


def test_the_table_of_a_model_is_that_of_its_class_or_of_the_nearest_base(
    tiny: Any, row_description: Any
) -> None:
    base = MODELS.get("PCAAutoencoder")
    model = type("Derived", (base,), {})(tiny({"model.PCAAutoencoder.latent_dim": 5}), row_description)
    assert model.table["latent_dim"] == 5


def test_an_emulator_is_not_built_without_an_autoencoder(tiny: Any, window_description: Any) -> None:
    with pytest.raises(ModelError, match="needs a trained autoencoder"):
        contract.build_model(tiny({"model.name": "LatentEmulator"}), window_description)


def test_evaluating_restores_the_mode() -> None:
    model = nn.Dropout(0.5).train()
    with contract.evaluating(model) as inside:
        assert not inside.training
        assert not torch.is_grad_enabled()
    assert model.training
    assert torch.is_grad_enabled()
