"""The merged configuration as code sees it: nested, immutable, and without second defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from chemnet.config.overrides import join_key, split_key
from chemnet.errors import ConfigError, suggest

if TYPE_CHECKING:
    from chemnet.config.schema import Schema

_MISSING = object()


class ConfigDict(Mapping[str, Any]):
    """An immutable mapping that raises on a key without a default, `.get(key, fallback)` included.

    Parameters
    ----------
    values
        Nested mapping of the merged configuration.
    prefix
        Where this table stands in the whole, for messages.
    schema
        What the defaults say of each key, for `help`.
    chosen
        The keys, as segments, that somebody set: what is left has its default.

    Examples
    --------
    >>> config = ConfigDict({"train": {"epochs": 3}})
    >>> config["train"]["epochs"]
    3
    """

    __slots__ = ("_chosen", "_prefix", "_schema", "_values")
    _chosen: frozenset[tuple[str, ...]]
    _prefix: tuple[str, ...]
    _schema: Schema | None
    _values: dict[str, Any]

    def __init__(
        self,
        values: Mapping[str, Any],
        prefix: tuple[str, ...] = (),
        schema: Schema | None = None,
        chosen: Iterable[tuple[str, ...]] = (),
    ) -> None:
        nested = {
            key: ConfigDict(value, (*prefix, key), schema) if isinstance(value, Mapping) else _frozen(value)
            for key, value in values.items()
        }
        object.__setattr__(self, "_values", nested)
        object.__setattr__(self, "_prefix", prefix)
        object.__setattr__(self, "_schema", schema)
        object.__setattr__(self, "_chosen", frozenset(chosen))

    @property
    def chosen(self) -> frozenset[tuple[str, ...]]:
        """The keys, as segments, that a file, a word on the command line or `replace` set."""
        return self._chosen

    def departs(self, key: tuple[str, ...]) -> bool:
        """Return whether somebody set a key to another value than its default."""
        spec = self._schema.keys.get(key) if self._schema else None
        return key in self._chosen and (spec is None or self.lookup(join_key(key)) != _frozen(spec.default))

    def __getitem__(self, key: str) -> Any:
        try:
            return self._values[key]
        except KeyError:
            name = join_key((*self._prefix, key))
            raise ConfigError(
                f"the configuration has no key '{name}'",
                hint=suggest(key, self._values) or "every key needs a default in a default_config.toml",
            ) from None

    def get(self, key: str, default: Any = _MISSING) -> Any:
        """Return the value of `key`; a fallback does not count: defaults live in one file."""
        return self[key]

    def lookup(self, dotted: str) -> Any:
        """Return the value of a dotted key, for example ``"train.epochs"``."""
        value: Any = self
        for part in split_key(dotted):
            value = value[part]
        return value

    def replace(self, changes: Mapping[str, Any]) -> ConfigDict:
        """Return a copy with dotted keys set to other values.

        Raises
        ------
        ConfigError
            For a key that does not exist or a value of the wrong type.
        """
        values = self.to_dict()
        keys = {split_key(dotted): value for dotted, value in changes.items()}
        for key, value in keys.items():
            put(values, key, self._accept(key, value))
        return ConfigDict(values, self._prefix, self._schema, self._chosen | keys.keys())

    def _accept(self, key: tuple[str, ...], value: Any) -> Any:
        """Check one change against the schema, or against existence where there is none."""
        if self._schema is None or self._prefix:
            self.lookup(join_key(key))
            return value
        return self._schema.accept(key, value, "set in Python")

    def help(self, key: str) -> None:
        """Print value, meaning and allowed type of a dotted key."""
        spec = self._schema.keys.get((*self._prefix, *split_key(key))) if self._schema else None
        print(f"{key} = {self.lookup(key)!r}")
        if spec is not None:
            print(f"  {spec.comment}\n  allowed: {spec.allowed}; default: {spec.default!r}")

    def to_dict(self) -> dict[str, Any]:
        """Return a plain, mutable, nested copy."""
        return {
            key: value.to_dict() if isinstance(value, ConfigDict) else _thawed(value)
            for key, value in self._values.items()
        }

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __setitem__(self, key: str, value: Any) -> NoReturn:
        raise ConfigError(
            f"the configuration is immutable: '{join_key((*self._prefix, key))}' cannot be assigned",
            hint="use ChemNet().set_config(key, value), or ConfigDict.replace for a changed copy",
        )

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise ConfigError(f"the configuration is immutable: '{name}' cannot be assigned")

    def __repr__(self) -> str:
        return f"ConfigDict({self.to_dict()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self.to_dict() == (
            other.to_dict() if isinstance(other, ConfigDict) else dict(other)
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return ConfigDict, (self.to_dict(), self._prefix, self._schema, self._chosen)

    __hash__ = None  # type: ignore[assignment]


def _frozen(value: Any) -> Any:
    """Turn lists into tuples, all the way down, so that nobody edits them in place."""
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _thawed(value: Any) -> Any:
    """Turn tuples back into lists, as TOML knows them."""
    return [_thawed(item) for item in value] if isinstance(value, tuple) else value


def put(values: dict[str, Any], key: tuple[str, ...], value: Any, only_if_absent: bool = False) -> None:
    """Set a key of a nested dict, making the tables on the way."""
    for part in key[:-1]:
        values = values.setdefault(part, {})
    if not (only_if_absent and key[-1] in values):
        values[key[-1]] = value
