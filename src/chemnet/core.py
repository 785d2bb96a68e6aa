"""`ChemNet`: the verbs as methods of one object that holds a configuration."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chemnet.config import ConfigDict, ConfigManager
from chemnet.errors import nearest, suggest
from chemnet.progress import configure_logging
from chemnet.registry import DATASETS, MODELS, VERBS, builtin_verbs, verb_descriptions
from chemnet.results import command


class ChemNet:
    """The Python face of chemnet: every verb of the command line is a method, and returns its result.

    Parameters
    ----------
    config_file
        One configuration file or several, later ones winning. Without any, ``./chemnet_config.toml`` when it
        exists, else the packaged defaults.
    overrides
        Words such as ``"train.epochs=20"`` that win over the files.

    Raises
    ------
    ConfigError
        For an unknown key, a wrong type or a file that cannot be read.

    Examples
    --------
    >>> from chemnet import ChemNet
    >>> chemnet = ChemNet()
    >>> chemnet.set_config("train.epochs", 20)
    >>> chemnet.config["train"]["epochs"]
    20
    """

    def __init__(
        self, config_file: str | Path | Sequence[str | Path] | None = None, overrides: Sequence[str] = ()
    ) -> None:
        files = [config_file] if isinstance(config_file, (str, Path)) else list(config_file or ())
        self._manager = ConfigManager(files, overrides)
        self._configure_logging()
        self._manager.announce()

    def _configure_logging(self) -> None:
        """Log as ``[general]`` says."""
        general = self.config["general"]
        configure_logging(general["log_level"], general["log_destination"])

    @property
    def config(self) -> ConfigDict:
        """The merged configuration, immutable; change it with `set_config`."""
        return self._manager.config

    def set_config(self, key: str, value: Any) -> None:
        """Set one dotted key; quotes protect dots: ``set_config("'torch.optim.AdamW'.lr", 1e-3)``.

        Raises
        ------
        ConfigError
            For a key that does not exist or a value of the wrong type.
        """
        self._manager.set(key, value)
        if key.startswith("general.log_"):
            self._configure_logging()

    def list_verbs(self) -> list[str]:
        """Return the names of all verbs."""
        return VERBS.names()

    def list_models(self) -> list[str]:
        """Return the names of all models."""
        return MODELS.names()

    def list_datasets(self) -> list[str]:
        """Return the names of all datasets."""
        return DATASETS.names()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_") or name not in VERBS.names():
            near = nearest(name, [word for word in dir(self) if not word.startswith("_")])
            hint = f"; did you mean {' or '.join(near)}?" if near else f"; verbs: {', '.join(VERBS.names())}"
            raise AttributeError(f"ChemNet has no verb or attribute '{name}'{hint}")
        return self._method(name)

    def _method(self, name: str) -> Callable[..., Any]:
        """Return the verb as a function with the signature and docstring of its `run`."""
        verb_class = VERBS.get(name)

        whole = inspect.signature(verb_class.run)
        own = [parameter for word, parameter in whole.parameters.items() if word != "self"]
        signature = whole.replace(parameters=own)
        allowed = [parameter.name for parameter in own]

        @functools.wraps(verb_class.run)
        def method(*args: Any, **kwargs: Any) -> Any:
            unknown = [word for word in kwargs if word not in allowed]
            if unknown:
                hint = suggest(unknown[0], allowed)
                raise TypeError(f"{name}() has no argument '{unknown[0]}'; {hint}")
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{name}{signature}: {error}") from None
            with command([f"ChemNet().{name}()"]):
                verb = verb_class(self.config)
                if hasattr(verb, "manager"):
                    verb.manager = self._manager
                return verb.run(*args, **kwargs)

        method.__name__ = name
        method.__signature__ = signature  # type: ignore[attr-defined]
        method.__doc__ = f"{verb_class.description}.\n\n{verb_class.run.__doc__ or ''}"
        return method

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *VERBS.names()})

    def __repr__(self) -> str:
        lines = [f"    .{name}()  {text}" for name, text in sorted(verb_descriptions().items())]
        files = ", ".join(str(path) for path in self._manager.files) or "packaged defaults"
        return "\n".join([f"ChemNet, configured from {files}; verbs:", *lines])


# `help(ChemNet)` shows methods that a class has; these are found when they are asked for
ChemNet.__doc__ = "\n".join(
    [
        inspect.cleandoc(ChemNet.__doc__ or ""),
        "",
        "Notes",
        "-----",
        "The verbs (``help(ChemNet().train)`` tells the arguments of one):",
        "",
        *(f"- ``{name}()``: {text}" for name, text in builtin_verbs().items()),
    ]
)
