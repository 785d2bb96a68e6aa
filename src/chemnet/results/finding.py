"""Which result a configuration key means: a path, a name, a component, or the newest that fits."""

from __future__ import annotations

from collections.abc import Callable

from chemnet.config import ConfigDict
from chemnet.config.overrides import join_key, split_key
from chemnet.errors import ResultsError, suggest
from chemnet.progress import get_logger
from chemnet.results.directory import DONE, ResultDirectory, list_results
from chemnet.results.naming import names_of, newest_of_component, result_folder

_log = get_logger(__name__)


def find_most_recent_results_dir(
    config: ConfigDict, verb: str, fits: Callable[[ResultDirectory], bool] | None = None
) -> ResultDirectory | None:
    """Return the newest finished result of `verb` for which `fits` holds, or None."""
    for result in reversed(list_results(config["general"]["results_dir"], verb)):
        if result.status == DONE and (fits is None or fits(result)):
            return result
    return None


def resolve_input(
    config: ConfigDict,
    key: str,
    verb: str,
    fits: Callable[[ResultDirectory], bool] | None = None,
    what: str | None = None,
    make_with: str | None = None,
) -> ResultDirectory:
    """Return the result that the configuration key `key` asks for.

    Parameters
    ----------
    config
        The merged configuration.
    key
        Dotted key: a path, a directory name, a component name, or false for the newest that fits.
    verb
        The verb that produces it.
    fits
        Further condition, for the newest and for an explicit one alike.
    what
        The wanted thing in words, for messages; ``"<verb> result"`` by default.
    make_with
        The command that makes one, for the hint; ``"chemnet <verb>"`` by default.

    Raises
    ------
    ResultsError
        When nothing fits, or what is named is missing, of another verb, unfit or changed since then.
    """
    what = what or f"{verb} result"
    wanted = config.lookup(key)
    if wanted is False:
        found = find_most_recent_results_dir(config, verb, fits)
        if found is None:
            raise ResultsError(
                f"found no {what} in {config['general']['results_dir']} for {key}",
                hint=f"run `{make_with or f'chemnet {verb}'}` first, or set {key} to a path or name",
            )
    else:
        found = named_result(config, str(wanted), key, verb)
        if fits is not None and not fits(found):
            article = "an" if what[0] in "aeiou" else "a"
            raise ResultsError(
                f"{key} = {str(wanted)!r} is not {article} {what}",
                hint="`chemnet results` lists what there is",
            )
    found.verify(every_byte=False)
    _log.info("%s: using %s", join_key(split_key(key)), found.name)
    return found


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
            hint=suggest(wanted, names_of(results_dir, verb)),
        )
    if found.verb != verb:
        raise ResultsError(
            f"{key} = {wanted!r} is a result of `{found.verb}`; a result of `{verb}` is needed",
            hint="`chemnet results` lists results with their verbs",
        )
    return found
