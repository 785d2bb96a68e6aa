"""The moving average of the weights: what it is, where it is used, how it goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from chemnet.models.weights import read_tensors
from chemnet.training.loop.averaging import AverageWeights, averaged, averaged_tensors, restart_average
from chemnet.training.loop.session import Session, make_session
from chemnet.verbs.train import Train


class Engine:
    """Takes in handlers, to call them by hand."""

    def add_event_handler(self, event: Any, handler: Any) -> None:
        self.step = handler


def session_of(tiny: Any, decay: float) -> tuple[Session, Engine]:
    model = nn.Sequential(nn.Linear(1, 1), nn.BatchNorm1d(1))
    for name in ("make_optimizer", "make_scheduler"):
        setattr(type(model), name, lambda self, *given: None)
    session = Session(model, None, None, tiny({"train.ema_decay": decay}), None, None, Path(), "cpu")
    engine = Engine()
    AverageWeights(session).attach(engine)
    return session, engine


def set_to(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in averaged_tensors(model).values():
            tensor.fill_(value)


def test_it_follows_the_definition(tiny: Any) -> None:
    session, engine = session_of(tiny, 0.9)
    set_to(session.model, 0.0)
    restart_average(session)
    expected = 0.0
    for step in range(1, 200):
        set_to(session.model, float(step))
        engine.step()
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    for tensor in session.state.averaged_weights.values():
        assert tensor.flatten().tolist() == pytest.approx([expected], rel=1e-5)


def test_the_model_holds_it_inside_and_its_own_weights_afterwards(tiny: Any) -> None:
    session, engine = session_of(tiny, 0.9)
    set_to(session.model, 0.0)
    restart_average(session)
    set_to(session.model, 1.0)
    engine.step()
    pointer = session.model[0].weight.data_ptr()
    with averaged(session):
        assert session.model[0].weight.item() == pytest.approx(9 / 11)
        assert session.model[1].running_var.item() == pytest.approx(9 / 11)
    assert session.model[0].weight.item() == 1.0
    assert session.model[0].weight.data_ptr() == pointer


def train(config: Any, **words: Any) -> Any:
    return Train(config).run(**words)


def weights(result: Any, name: str = "weights_last.safetensors") -> dict[str, torch.Tensor]:
    return read_tensors(result.path / name)


def test_training_itself_is_the_same_and_the_result_holds_the_average(tiny: Any) -> None:
    plain, smooth = (train(tiny({"train.ema_decay": decay})) for decay in (False, 0.9))
    assert [r["train_loss"] for r in plain.metrics] == [r["train_loss"] for r in smooth.metrics]
    assert [r["validate_loss"] for r in plain.metrics] != [r["validate_loss"] for r in smooth.metrics]
    assert not torch.equal(weights(plain)["output_bias"], weights(smooth)["output_bias"])


def test_a_resumed_average_is_the_one_of_a_run_in_one_go(tiny: Any) -> None:
    whole = train(tiny({"train.ema_decay": 0.9, "train.epochs": 4}))
    half = train(tiny({"train.ema_decay": 0.9, "train.epochs": 2}))
    resumed = train(tiny({"train.ema_decay": 0.9, "train.epochs": 4}), resume=half.path)
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name])


def test_sessions_without_it_judge_the_weights_themselves(tiny: Any, row_description: Any) -> None:
    from chemnet.models.contract import build_model

    config = tiny()
    session = make_session(
        build_model(config, row_description), config,
        training=None, validation=None, folder=Path(), device=torch.device("cpu"),
    )  # fmt: skip
    bias = session.model.output_bias.clone()
    with averaged(session):
        assert torch.equal(session.model.output_bias, bias)
