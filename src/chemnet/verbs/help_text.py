"""What ``chemnet VERB --help`` tells beyond options: the verb's inputs, examples and configuration keys."""

from __future__ import annotations

from collections.abc import Iterator

from chemnet.config.overrides import join_key
from chemnet.config.schema import Schema
from chemnet.config.toml_text import toml_value
from chemnet.verbs.verb import Verb

_WIDTH = 118
# keys are aligned up to this column; a longer one pushes its own comment to the right
_WIDEST_KEY = 44


def help_text(verb: type[Verb], schema: Schema) -> str:
    """Return the text below the options of ``chemnet VERB --help``.

    Parameters
    ----------
    verb
        The verb.
    schema
        What the defaults say of each configuration key.
    """
    parts = [*_inputs(verb), *_examples(verb), *_keys(verb, schema)]
    return "\n".join([*parts, "", "all of a key or a table: chemnet config --explain NAME"])


def _inputs(verb: type[Verb]) -> Iterator[str]:
    if verb.inputs:
        yield "reads (the newest that fits, unless the key names another):"
        width = max(map(len, verb.inputs))
        yield from (f"  {key:<{width}}  result of chemnet {other}" for key, other in verb.inputs.items())
        yield ""


def _examples(verb: type[Verb]) -> Iterator[str]:
    yield "examples:"
    yield from (f"  {line}" for line in verb.examples or (f"chemnet {verb.cli_name}",))


def _keys(verb: type[Verb], schema: Schema) -> Iterator[str]:
    """Yield each key of the verb's tables with its default and meaning, in one line."""
    names = verb.tables or (verb.cli_name,)
    specs = [spec for name in names for spec in schema.keys.values() if spec.key[:-1] == (name,)]
    if not specs:
        return
    yield "\nconfiguration (key = default, meaning):"
    heads = [f"{join_key(spec.key)} = {toml_value(spec.default)}" for spec in specs]
    width = min(_WIDEST_KEY, max(map(len, heads)))
    for spec, head in zip(specs, heads, strict=True):
        yield _shortened(f"  {head:<{width}}  {spec.comment}")


def _shortened(line: str) -> str:
    """Return a line that ends at a word where it is too long for the screen."""
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 4].rpartition(' ')[0]} ..."
