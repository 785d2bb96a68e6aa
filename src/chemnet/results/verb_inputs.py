"""Which result a configuration key means: a path, a name, a component, or the newest that fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key, split_key
from chemnet.errors import ResultsError
from chemnet.progress import get_logger
from chemnet.results.agreement import Agreement, agreement, says_something
from chemnet.results.directory import ResultDirectory, list_results
from chemnet.results.layout import DONE
from chemnet.results.result_names import (
    names_and_components,
    newest_of_component,
    result_folder,
    suggest_result,
)

# the rank of a result that was made from exactly what the configuration says
_WHOLE = Agreement().rank
_log = get_logger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What an input must be.

    Attributes
    ----------
    verb
        The verb that produces it.
    fits
        Further condition, for the newest and for an explicit one alike.
    what
        The wanted thing in words, for messages; ``"<verb> result"`` by default.
    make_with
        The command that makes one, for the hint; ``"chemnet <verb>"`` by default.
    same_data
        Whether the configuration's data are those behind the result, and not others to use it on.
    """

    verb: str
    fits: Callable[[ResultDirectory], bool] | None = None
    what: str | None = None
    make_with: str | None = None
    same_data: bool = True

    @property
    def in_words(self) -> str:
        """The wanted thing in words."""
        return self.what or f"{self.verb} result"


@dataclass(frozen=True)
class Found:
    """An input, and why it was taken.

    Attributes
    ----------
    result
        What was found.
    how
        How it agrees with the configuration; None: it was named there.
    newer
        The newest result that was passed over for it, if any, with how that one agrees.
    """

    result: ResultDirectory
    how: Agreement | None = None
    newer: tuple[tuple[ResultDirectory, Agreement], ...] = ()

    def announce(self, key: str) -> None:
        """Say in one line which result a key means and why; warn where a newer one was passed over."""
        why = (
            "named"
            if self.how is None
            else "the newest of this configuration"
            if self.newer
            else "the newest"
        )
        told = f"; it was made with {self.how}" if self.how and self.how.data else ""
        _log.info("%s: using %s (%s%s)", key, self.result.name, why, told)
        for result, how in self.newer:
            _log.warning("%s: skipped %s, which is newer but has %s", key, result.name, how)


def find_most_recent_results_dir(
    config: ConfigDict, verb: str, fits: Callable[[ResultDirectory], bool] | None = None
) -> ResultDirectory | None:
    """Return the newest finished result of `verb` for which `fits` holds, or None."""
    return next(_newest_first(config, verb, fits), None)


def newest_input(config: ConfigDict, key: str, wanted: Wanted) -> Found | None:
    """Return the newest finished result of a verb that was made from what the configuration says.

    What the configuration sets of the data (``[data_set]``, ``[preprocess]``, ``[simulate]``), other than
    defaults, must be what the result was made from. Among those that pass, one of the component that
    ``train.component`` names comes first, then one whose data agree in every key, then the newest. A
    configuration that sets nothing of this takes the newest.

    Parameters
    ----------
    config
        The merged configuration.
    key
        Dotted key of the input.
    wanted
        What it must be.

    Returns
    -------
    Found or None
        None where no finished result fits.

    Raises
    ------
    ResultsError
        When those that fit were all made from other data.
    """
    # in [train] the component is the one to be made
    names_component = split_key(key)[0] != "train"
    fitting = _newest_first(config, wanted.verb, wanted.fits)
    if not says_something(config, wanted.same_data, names_component):
        newest = next(fitting, None)
        return None if newest is None else Found(newest, Agreement())
    seen: list[tuple[ResultDirectory, Agreement]] = []
    for result in fitting:
        seen.append((result, agreement(result, config, wanted.same_data, names_component)))
        if seen[-1][1].rank == _WHOLE:
            break
    if not seen:
        return None
    best, how = min(seen, key=lambda one: one[1].rank)
    if how.contradictions:
        raise ResultsError(
            f"found no {wanted.in_words} for {key} that was made from this configuration; "
            f"the newest, {best.name}, has {how}",
            hint=f"run `chemnet {wanted.verb}` with this configuration (first the verbs before it, if need "
            f"be), or set {key}={best.path}",
        )
    newer = tuple(one for one in seen if one[0].created > best.created)
    return Found(best, how, newer[:1])


def resolve_input(
    config: ConfigDict,
    key: str,
    verb: str,
    fits: Callable[[ResultDirectory], bool] | None = None,
    what: str | None = None,
    make_with: str | None = None,
    same_data: bool = True,
) -> ResultDirectory:
    """Return the result that the configuration key `key` asks for, and say in one line which and why.

    Parameters
    ----------
    config
        The merged configuration.
    key
        Dotted key: a path, a directory name, a component name, or false for what `newest_input` finds.
    verb, fits, what, make_with, same_data
        What it must be; see `Wanted`.

    Raises
    ------
    ResultsError
        When nothing fits, or what is named is missing, of another verb, unfit or changed since then.
    """
    found = find_input(config, key, Wanted(verb, fits, what, make_with, same_data))
    found.result.verify(every_byte=False)
    found.announce(join_key(split_key(key)))
    return replace(found.result, verify_inputs=config["general"]["verify_inputs"])


def find_input(config: ConfigDict, key: str, wanted: Wanted) -> Found:
    """Return what `resolve_input` would, without a word; see there."""
    what, name = wanted.in_words, config.lookup(key)
    if name is False:
        found = newest_input(config, key, wanted)
        if found is None:
            raise ResultsError(
                f"found no {what} in {config['general']['results_dir']} for {key}",
                hint=f"run `{wanted.make_with or f'chemnet {wanted.verb}'}` first, or set {key} to a path "
                "or name",
            )
    else:
        found = Found(named_result(config, str(name), key, wanted.verb))
        if wanted.fits is not None and not wanted.fits(found.result):
            article = "an" if what[0] in "aeiou" else "a"
            raise ResultsError(
                f"{key} = {str(name)!r} is not {article} {what}",
                hint="`chemnet results` lists what there is",
            )
    return found


def _newest_first(
    config: ConfigDict, verb: str, fits: Callable[[ResultDirectory], bool] | None
) -> Iterator[ResultDirectory]:
    """Yield the finished results of `verb` for which `fits` holds."""
    for result in reversed(list_results(config["general"]["results_dir"], verb)):
        if result.status == DONE and (fits is None or fits(result)):
            yield result


def named_result(config: ConfigDict, wanted: str, key: str, verb: str) -> ResultDirectory:
    """Return the result with this path, directory name or component name (the newest of that component).

    Parameters
    ----------
    config
        Says where results are.
    wanted, key
        The name, and the configuration key that holds it, for messages.
    verb
        The verb that produces it.

    Raises
    ------
    ResultsError
        When there is none, or it is of another verb.
    """
    results_dir = config["general"]["results_dir"]
    path = result_folder(results_dir, wanted)
    found = ResultDirectory.open(path) if path else newest_of_component(results_dir, verb, wanted)
    if found is None:
        raise ResultsError(
            f"{key} = {wanted!r}: no such path, result or component",
            hint=suggest_result(wanted, *names_and_components(results_dir, verb))
            or f"run `chemnet {verb}` first",
        )
    if found.verb != verb:
        raise ResultsError(
            f"{key} = {wanted!r} is a result of `{found.verb}`; a result of `{verb}` is needed",
            hint="`chemnet results` lists results with their verbs",
        )
    return found
