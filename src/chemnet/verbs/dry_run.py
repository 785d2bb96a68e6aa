"""What ``--dry-run`` tells: what a verb would read and make, and about how long that would take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from chemnet.config import ConfigDict
from chemnet.errors import ConfigError
from chemnet.progress import duration
from chemnet.results import Answer, ResultDirectory, find_most_recent_results_dir

SECONDS = "seconds"


def plan_answer(reads: Mapping[str, object], makes: str, takes: str) -> Answer:
    """Return what a run would read and make, as an answer that prints itself.

    Parameters
    ----------
    reads
        What is read, by the configuration key or the word that names it.
    makes
        What would be there afterwards.
    takes
        How long it takes, in words.
    """
    content = {"reads": {name: str(what) for name, what in reads.items()}, "makes": makes, "takes": takes}
    width = max((len(name) for name in reads), default=0)
    lines = [f"would read   {name:<{width}}  {what}" for name, what in reads.items()]
    lines += [f"would make   {makes}", f"would take   {takes}", "dry run: nothing was written"]
    return Answer(content, "\n".join(lines))


def in_results(config: ConfigDict, verb: str, what: str) -> str:
    """Return where a result of a verb would stand and what it would hold, in words."""
    return f"a result of `{verb}` in {Path(config['general']['results_dir'])}: {what}"


def at_the_pace(
    config: ConfigDict,
    verb: str,
    unit: str,
    amount: float | None,
    fits: Callable[[ResultDirectory], bool] | None = None,
) -> str:
    """Return about how long some work takes, by the newest earlier result of its kind.

    Parameters
    ----------
    config
        Says where results are.
    verb, fits
        Which results count as of its kind.
    unit
        The entry of their summary that time grows with: ``"rows"``.
    amount
        How many of these the work has; None where that is not known beforehand.
    """

    def tells(result: ResultDirectory) -> bool:
        return bool(result.summary.get(unit)) and (fits is None or fits(result))

    earlier = find_most_recent_results_dir(config, verb, tells)
    if earlier is None:
        return f"not known: no earlier result of `{verb}` is of this kind"
    done = earlier.summary[unit]
    whole = f"{earlier.name} took {duration(earlier.wall_time_s)} for {done:,} {unit}"
    if amount is None:
        return f"not known; {whole}"
    return f"about {duration(earlier.wall_time_s * amount / done)} for {amount:,} {unit}: {whole}"


def refuse_resume(config: ConfigDict, key: str) -> None:
    """Refuse to foretell what goes on with an unfinished run.

    Raises
    ------
    ConfigError
        When the key, such as ``"train.resume"``, names one.
    """
    if config.lookup(key) is not False:
        raise ConfigError(
            f"--dry-run tells what a new run would do, and {key} = {config.lookup(key)!r} resumes an old one",
            hint=f"leave out --dry-run, or {key}",
        )
