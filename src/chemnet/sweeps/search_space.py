"""What a sweep varies: alternatives and ranges of configuration keys, as people type them.

    optimizer.lr=1e-3,5e-4              two alternatives
    model.Autoencoder.hidden=[320,160],[160,80]     two alternatives, each a list
    optimizer.lr=log:1e-4..1e-2         a range, even in the logarithm; needs a number of trials
    model.Autoencoder.latent_dim=8..20  a range of whole numbers, both ends included

A comma separates alternatives, except within brackets or quotes. The words need no quotes in a shell.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key, parse_value, split_key
from chemnet.errors import ConfigError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*(log:)?\s*({_NUMBER})\.\.({_NUMBER})\s*")
_TABLES = ("model", "criterion", "optimizer", "scheduler", "train")
# one value for the whole sweep: where results go and what they are called
_FIXED = {("train", key) for key in ("component", "mode", "resume", "experiment_name", "run_name", "trace")}


@dataclass(frozen=True)
class Choice:
    """Some alternatives."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes
    ----------
    low, high
        The ends.
    logarithmic
        Whether the logarithm is drawn evenly.
    whole
        Whether the numbers are integers.
    """

    low: float
    high: float
    logarithmic: bool
    whole: bool

    def __str__(self) -> str:
        return f"{'log:' * self.logarithmic}{self.low:g}..{self.high:g}"


Space = dict[str, Choice | Range]


def alternatives(text: str) -> list[str]:
    """Split at commas that stand outside brackets and quotes.

    Raises
    ------
    ConfigError
        When a bracket or quote does not close, or an alternative is empty.

    Examples
    --------
    >>> alternatives("[320, 160],[80]"), alternatives("'a,b',c"), alternatives("1e-3")
    (['[320, 160]', '[80]'], ["'a,b'", 'c'], ['1e-3'])
    """
    parts, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += (sign in "[{") - (sign in "]}")
        if sign == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += sign
    if depth or quote:
        raise ConfigError(f"{text!r}: a bracket or quote does not close", hint="write [320,160],[160,80]")
    parts = [part.strip() for part in parts]
    if "" in parts:
        raise ConfigError(
            f"{text!r}: an alternative is empty", hint="write 1e-3,5e-4 without a comma at either end"
        )
    return parts


def is_swept(text: str) -> bool:
    """Return whether a value on the command line stands for several: alternatives or a range."""
    return bool(_RANGE.fullmatch(text)) or len(alternatives(text)) > 1


def with_space_words(words: Sequence[str]) -> list[str]:
    """Return command-line words with those that hold several values moved into ``sweep.space``.

    Examples
    --------
    >>> with_space_words(["optimizer.lr=1e-3,5e-4", "train.epochs=9"])
    ['sweep.space."optimizer.lr"=1e-3,5e-4', 'train.epochs=9']
    """
    moved = []
    for word in words:
        key, _, text = word.partition("=")
        segments = split_key(key.strip())
        swept = segments[0] != "sweep" and is_swept(text)
        moved.append(f'sweep.space."{join_key(segments)}"={text}' if swept else word)
    return moved


def read_space(config: ConfigDict) -> Space:
    """Return what ``[sweep.space]`` varies, each value checked as the configuration would.

    Raises
    ------
    ConfigError
        For an empty space, a key that does not exist or cannot be varied, a value that its key does not take,
        a value given twice, or a range that is none.
    """
    space: Space = {}
    for key, value in _entries(config["sweep"]["space"]):
        segments = split_key(key)
        name = join_key(segments)
        _check_key(segments, name, config)
        space[name] = _range(name, value, config) or _choice(name, value, config)
    if not space:
        raise ConfigError(
            "the sweep varies nothing",
            hint="chemnet sweep optimizer.lr=1e-3,5e-4 train.rows_per_batch=512,4096",
        )
    return space


def grid(space: Space) -> list[dict[str, Any]]:
    """Return every combination of the alternatives; the last key varies fastest.

    Raises
    ------
    ConfigError
        When the space holds a range, which has no end of values.
    """
    ranges = [key for key, domain in space.items() if isinstance(domain, Range)]
    if ranges:
        raise ConfigError(
            f"{', '.join(ranges)}: a range is drawn from, so the number of trials must be known",
            hint="add --trials 30, or list alternatives: 1e-3,5e-4",
        )
    domains = [domain.values for domain in space.values() if isinstance(domain, Choice)]
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*domains)]


def _entries(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Walk the table; ``optimizer.lr = ...`` without quotes is a nested one in TOML."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{prefix}{join_key((name,))}.")
        else:
            # a quoted name holds the dots of a whole key
            yield f"{prefix}{join_key((name,)) if prefix else name}", value


def _check_key(segments: tuple[str, ...], name: str, config: ConfigDict) -> None:
    """Raise when a key does not exist, or is one that a sweep needs the same in every trial."""
    config.lookup(name)
    of_class = "." in segments[0]
    varied = segments[0] in _TABLES or of_class or segments == ("general", "seed")
    if not varied or segments in _FIXED:
        raise ConfigError(
            f"{name} cannot be swept: every trial shares it",
            hint="keys of [model], [train], [optimizer], [criterion], [scheduler] and their classes can be "
            "swept, and general.seed; a value with a comma in it needs quotes",
        )


def _range(name: str, value: Any, config: ConfigDict) -> Range | None:
    """Return a range, or None when the value is none."""
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    low, high = parse_value(found[2]), parse_value(found[3])
    low, high = (_accepted(name, end, config) for end in (low, high))
    whole = isinstance(low, int)
    logarithmic = found[1] is not None
    if not all(type(end) in (int, float) and math.isfinite(end) for end in (low, high)) or not low < high:
        raise ConfigError(f"{name}={value}: a range goes from a number to a larger one", hint="1e-4..1e-2")
    if logarithmic and low <= 0:
        raise ConfigError(f"{name}={value}: a logarithmic range begins above 0", hint="log:1e-4..1e-2")
    return Range(low, high, logarithmic, whole)


def _choice(name: str, value: Any, config: ConfigDict) -> Choice:
    """Return alternatives, given as text or as a list of values."""
    given = list(value) if isinstance(value, (list, tuple)) else None
    if given is None:
        given = [parse_value(part) for part in alternatives(value)] if isinstance(value, str) else [value]
    accepted = [_accepted(name, one, config) for one in given]
    repeated = [one for number, one in enumerate(accepted) if one in accepted[:number]]
    if repeated or not accepted:
        found = f"{repeated[0]!r} is given twice" if repeated else "no alternative is given"
        raise ConfigError(f"{name}: {found}", hint="list each alternative once: 1e-3,5e-4")
    return Choice(tuple(accepted))


def _accepted(name: str, value: Any, config: ConfigDict) -> Any:
    """Return one value as the configuration takes it."""
    try:
        return config.replace({name: value}).lookup(name)
    except ConfigError as error:
        hint = error.hint
        if isinstance(config.lookup(name), tuple) and not isinstance(value, (list, tuple)):
            hint = "this key takes a list: [320,160] is one, and [320,160],[160,80] are two alternatives"
        raise ConfigError(f"one of the values of {name}: {error.message}", hint=hint) from error
