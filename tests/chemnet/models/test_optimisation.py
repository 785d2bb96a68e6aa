from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from chemnet.errors import ConfigError, ModelError
from chemnet.models import optimisation


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2, bias=False))


def test_weight_decay_spares_biases_and_normalisation(tiny: Any) -> None:
    decayed, spared = optimisation.make_optimizer(network(), tiny()).param_groups
    assert decayed["weight_decay"] == 1e-4
    assert [tuple(parameter.shape) for parameter in decayed["params"]] == [(3, 4), (2, 3)]
    assert spared["weight_decay"] == 0.0
    assert all(parameter.ndim == 1 for parameter in spared["params"])


def test_weight_decay_acts_on_all_when_asked(tiny: Any) -> None:
    config = tiny({"optimizer.decay_biases_and_norms": True})
    (group,) = optimisation.make_optimizer(network(), config).param_groups
    assert len(group["params"]) == 5


def test_the_table_named_after_the_class_holds_its_keywords(tiny: Any) -> None:
    config = tiny(
        {"optimizer.name": "torch.optim.SGD", "'torch.optim.SGD'.lr": 0.5, "'torch.optim.SGD'.momentum": 0.9}
    )
    optimizer = optimisation.make_optimizer(network(), config)
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["momentum"] == 0.9


def test_the_short_key_for_the_learning_rate_wins(tiny: Any) -> None:
    assert optimisation.make_optimizer(network(), tiny({"optimizer.lr": 0.25})).param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD"])
def test_the_update_in_one_pass_is_the_plain_update(name: str, tiny: Any) -> None:
    trained = []
    for further in ({}, {f"'torch.optim.{name}'.fused": False}):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 2))
        config = tiny({"optimizer.name": f"torch.optim.{name}", "optimizer.lr": 0.01, **further})
        optimizer = optimisation.make_optimizer(model, config)
        for rows in torch.rand(20, 8, 4, generator=torch.Generator().manual_seed(1)):
            optimizer.zero_grad()
            model(rows).square().mean().backward()
            optimizer.step()
        trained.append((optimizer.param_groups[0]["fused"], list(model.parameters())))
    assert [fused for fused, _ in trained] == [True, False]
    torch.testing.assert_close(trained[0][1], trained[1][1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["RMSprop", "Adamax"])
def test_an_optimizer_without_an_update_in_one_pass_is_made_as_it_is(name: str, tiny: Any) -> None:
    (group, *_) = optimisation.make_optimizer(
        network(), tiny({"optimizer.name": f"torch.optim.{name}"})
    ).param_groups
    assert "fused" not in group


def test_a_keyword_that_the_class_refuses_is_named_with_its_table(tiny: Any) -> None:
    config = tiny({"'torch.optim.AdamW'.momentun": 0.9})
    with pytest.raises(ConfigError, match="momentun") as caught:
        optimisation.make_optimizer(network(), config)
    assert '["torch.optim.AdamW"]' in str(caught.value)


def test_a_keyword_that_nobody_wrote_is_not_listed(tiny: Any) -> None:
    config = tiny({"optimizer.name": "torch.optim.SGD", "'torch.optim.SGD'.momentun": 0.9})
    with pytest.raises(ConfigError, match=r"momentun = 0\.9") as caught:
        optimisation.make_optimizer(network(), config)
    assert "fused" not in str(caught.value)


def test_a_class_that_does_not_exist_names_the_nearest(tiny: Any) -> None:
    with pytest.raises(ConfigError, match="AdamW"):
        optimisation.make_optimizer(network(), tiny({"optimizer.name": "torch.optim.AdamWW"}))


def test_near_misses_are_classes_that_the_module_defines(tiny: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        optimisation.make_optimizer(
            network(), tiny({"optimizer.name": "torch.optim.lr_scheduler.CosineAnneal"})
        )
    assert "'CosineAnnealingLR'" in str(caught.value)
    assert not {"Counter", "TYPE_CHECKING", "all:"} & set(str(caught.value).replace(",", "").split())


@pytest.mark.parametrize(
    ("part", "name", "meant"),
    [
        ("optimizer", "Adam", "write torch.optim.Adam"),
        ("optimizer", "zzz", "such as torch.optim."),
        ("optimizer", "", "such as torch.optim."),
    ],
)
def test_a_name_without_dots_is_answered_with_the_dotted_one(
    tiny: Any, part: str, name: str, meant: str
) -> None:
    with pytest.raises(ConfigError, match=f"the {part} '{name}' is no dotted name") as caught:
        optimisation.make_optimizer(network(), tiny({f"{part}.name": name}))
    assert meant in str(caught.value)


@pytest.mark.parametrize("betas", [[0.9], [0.9, 2.0]])
def test_values_that_the_class_refuses_name_its_table(tiny: Any, betas: list[float]) -> None:
    with pytest.raises(ConfigError, match="does not accept its keyword arguments") as caught:
        optimisation.make_optimizer(network(), tiny({"'torch.optim.AdamW'.betas": betas}))
    assert '["torch.optim.AdamW"]' in str(caught.value)


def test_a_model_without_parameters_cannot_be_trained(tiny: Any) -> None:
    with pytest.raises(ModelError, match=r"no parameters to train\n  hint: "):
        optimisation.make_optimizer(nn.Identity(), tiny())


def test_no_scheduler_is_a_choice(tiny: Any) -> None:
    model, config = network(), tiny({"scheduler.name": False})
    assert optimisation.make_scheduler(model, config, optimisation.make_optimizer(model, config)) is None


def test_a_schedule_without_room_for_its_phases_is_refused(tiny: Any) -> None:
    name = "torch.optim.lr_scheduler.OneCycleLR"
    config = tiny({"scheduler.name": name, f"'{name}'.total_steps": 10, f"'{name}'.pct_start": 0.1})
    model = network()
    with pytest.raises(ConfigError, match="OneCycleLR does not accept its keyword arguments"):
        optimisation.make_scheduler(model, config, optimisation.make_optimizer(model, config))
