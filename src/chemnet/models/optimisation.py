"""Optimizer, criterion and scheduler from the configuration, as Hyrax users write them.

``[optimizer] name = "torch.optim.AdamW"`` names the class, and the table ``["torch.optim.AdamW"]`` holds its
keyword arguments. What a model defines itself wins, with a warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError, ModelError
from chemnet.plugins import import_dotted
from chemnet.progress import get_logger

if TYPE_CHECKING:
    from chemnet.data.preprocessed import DataDescription

# where PyTorch's optimizers can update all parameters in one pass, and the keywords that choose a way
_FUSED_DEVICES = {"cpu", "cuda"}
_WAYS = {"fused", "foreach", "differentiable", "capturable"}
_log = get_logger(__name__)


def make_criterion(config: ConfigDict, data: DataDescription) -> nn.Module:
    """Return the criterion that ``[criterion]`` names; a class with `for_data` is built for the data set.

    Raises
    ------
    ConfigError
        When there is no such class, or it refuses its keyword arguments.
    """
    name = config["criterion"]["name"]
    cls = import_dotted(name, "criterion", "torch.nn", base=nn.Module)
    if hasattr(cls, "for_data"):
        return _call(cls.for_data, name, data, **keywords(config, name))
    return _call(cls, name, **keywords(config, name))


def make_optimizer(self: nn.Module, config: ConfigDict) -> Optimizer:
    """Return the optimizer that ``[optimizer]`` names, for the trainable parameters of this model.

    Weight decay spares biases and normalisation unless ``optimizer.decay_biases_and_norms`` asks for it. One
    of PyTorch's that can update all parameters in one pass does so, unless its keywords choose another way.

    Raises
    ------
    ConfigError
        When there is no such class, or it refuses its keyword arguments.
    ModelError
        When the model has nothing to train.
    """
    table = config["optimizer"]
    options = keywords(config, table["name"])
    if table["lr"] is not False:
        options["lr"] = table["lr"]
    cls = import_dotted(table["name"], "optimizer", "torch.optim", base=Optimizer)
    groups = parameter_groups(self, options.get("weight_decay", 0.0), table["decay_biases_and_norms"])
    # bound here, or it would be listed among the keywords of the table
    own = partial(cls, **_fused(cls, groups, options))
    return _call(own, table["name"], groups, **options)


def _fused(cls: Any, groups: list[dict[str, Any]], options: Mapping[str, Any]) -> dict[str, bool]:
    """Return the keyword that makes an optimizer of PyTorch update all parameters in one pass, if it can."""
    has_keyword = cls.__module__.startswith("torch.optim.") and "fused" in signature(cls).parameters
    parameters = [parameter for group in groups for parameter in group["params"]]
    if not has_keyword or _WAYS & set(options):
        return {}
    fits = all(one.is_floating_point() and one.device.type in _FUSED_DEVICES for one in parameters)
    return {"fused": True} if fits else {}


def no_optimizer() -> Optimizer:
    """Return the optimizer of a model that takes no gradients: it has no parameters and no learning rate."""
    return SGD([{"params": []}], lr=0.0)


def make_scheduler(self: nn.Module, config: ConfigDict, optimizer: Optimizer) -> Any | None:
    """Return the learning-rate scheduler that ``[scheduler]`` names, or None when it names none."""
    name = config["scheduler"]["name"]
    if name is False:
        return None
    cls = import_dotted(name, "scheduler", "torch.optim.lr_scheduler", base=LRScheduler)
    return _call(cls, name, optimizer, **keywords(config, name))


def parameter_groups(model: nn.Module, weight_decay: float, decay_all: bool) -> list[dict[str, Any]]:
    """Return the trainable parameters in two groups: matrices with `weight_decay`, vectors without.

    Raises
    ------
    ModelError
        When nothing is trainable.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise ModelError(
            f"the model {type(model).__name__} has no parameters to train",
            hint="assign layers to attributes in __init__, and leave requires_grad on where they learn",
        )
    if decay_all or not weight_decay:
        return [{"params": trainable}]
    matrices = [parameter for parameter in trainable if parameter.ndim > 1]
    vectors = [parameter for parameter in trainable if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def keywords(config: ConfigDict, name: str) -> dict[str, Any]:
    """Return the keyword arguments in the table named after a class; empty when there is no such table."""
    return config[name].to_dict() if name in config else {}


def warn_of_own(model: nn.Module, part: str, config: ConfigDict) -> None:
    """Warn that the model's own optimizer, criterion or scheduler replaces the configured one."""
    _log.warning(
        "the model %s defines its own %s; [%s] name = %r is not used",
        type(model).__name__,
        part,
        part,
        config[part]["name"],
    )


def _call(cls: Any, name: str, *args: Any, **options: Any) -> Any:
    """Call a class, turning refused keyword arguments into a `ConfigError` that names their table."""
    try:
        return cls(*args, **options)
    except (TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        given = ", ".join(f"{key} = {value!r}" for key, value in options.items()) or "nothing"
        raise ConfigError(
            f"{name} does not accept its keyword arguments: {error}",
            hint=f'the table ["{name}"] holds: {given}',
        ) from error
