"""`chemnet network`: what a chemical network holds, where it is odd, and what surrounds a species."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chemnet.errors import DataError, ResultsError
from chemnet.registry import chem_verb
from chemnet.results import Answer, ResultWriter, VerbResult
from chemnet.verbs.dry_run import SECONDS, in_results, plan_answer
from chemnet.verbs.verb import Verb, in_full

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chemnet.chemistry.formats import NetworkParts
    from chemnet.chemistry.formats.row_files import ReadingOptions
    from chemnet.chemistry.network.neighbourhood import Neighbourhood
    from chemnet.chemistry.network.species_and_reactions import NetworkSpecies
    from chemnet.chemistry.network.species_names import Naming
    from chemnet.chemistry.network.survey import Survey
    from chemnet.chemistry.rates.comparison import Comparison
    from chemnet.config import ConfigDict
    from chemnet.evaluation.network_against_set import NetworkAgainstSet

SURVEY_FILE = "survey.json"
OVERVIEW_FILE = "overview.png"


class NetworkResult(VerbResult):
    """The description of a network, and the graphs around the species that were asked for."""

    verb = "network"

    @property
    def survey(self) -> Survey:
        """Counts, coverage, dead ends, imbalances and duplicates."""
        from chemnet.chemistry.network.survey import Survey

        return Survey.from_dict(self._content["survey"])

    @property
    def neighbourhoods(self) -> dict[str, Neighbourhood]:
        """What surrounds each species that was asked for."""
        from chemnet.chemistry.network.neighbourhood import Neighbourhood

        found = (Neighbourhood.from_dict(values) for values in self._content["neighbourhoods"])
        return {around.species: around for around in found}

    @property
    def comparison(self) -> Comparison | None:
        """What the other network changes, where one was given."""
        from chemnet.chemistry.rates.comparison import Comparison

        values = self._content.get("comparison")
        return None if values is None else Comparison.from_dict(values)

    @property
    def against(self) -> NetworkAgainstSet | None:
        """What its steps are off by along tracers, where some were given."""
        from chemnet.evaluation.network_against_set import NetworkAgainstSet

        values = self._content.get("against")
        return None if values is None else NetworkAgainstSet.from_dict(values)

    @property
    def graphs(self) -> dict[str, Path]:
        """The picture of each neighbourhood."""
        return {name: self.directory.file(_graph_file(name)) for name in self.neighbourhoods}

    def plot(self, species: str | None = None) -> Figure:
        """Draw the graph around a species: the given one, the first that was asked for, or else the overview.

        Parameters
        ----------
        species
            One of the species that the result has a graph of.

        Raises
        ------
        ResultsError
            The result has no graph of that species.
        """
        from chemnet.plots.network_graph import draw_neighbourhood, draw_survey

        around = self.neighbourhoods
        if species is not None and species not in around:
            raise ResultsError(
                f"this result has no graph around {species!r}",
                hint=f"there is one around {', '.join(around) or 'none'}; ask for another with --species",
            )
        if not around:
            return draw_survey(self.survey)
        chosen = around[species] if species is not None else next(iter(around.values()))
        return draw_neighbourhood(chosen, self.directory.config["network"]["neighbours"])

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints: the base entries, the survey and the neighbourhoods."""
        return super().to_dict() | self._content

    def __str__(self) -> str:
        pictures = [OVERVIEW_FILE, *(path.name for path in self.graphs.values())]
        rows = [("result", str(self.path)), ("pictures", ", ".join(pictures))]
        compared = [str(one) for one in (self.comparison, self.against) if one is not None]
        return "\n".join([str(self.survey), *compared, *(f"{title:<16} {text}" for title, text in rows)])

    @property
    def _content(self) -> dict[str, Any]:
        return json.loads(self.directory.file(SURVEY_FILE).read_text(encoding="utf-8"))


@chem_verb
class Network(Verb[NetworkResult]):
    """Read a network, describe it and draw what surrounds some of its species."""

    cli_name = "network"
    description = "describe a chemical network, and draw the graph around a species"

    @staticmethod
    def setup_parser(parser: argparse.ArgumentParser) -> None:
        """Add the network's place and ``--species``."""
        parser.add_argument(
            "path",
            nargs="?",
            metavar="FILE",
            help="file or folder (UCLCHEM, UMIST, KIDA, KROME, chemnet's own), or a shipped network",
        )
        parser.add_argument(
            "--species", action="append", metavar="NAME", help="draw what surrounds this species; repeatable"
        )
        parser.add_argument(
            "--compare", metavar="FILE", help="list what another network adds, misses or gives another rate"
        )
        parser.add_argument(
            "--against",
            metavar="SET",
            help="tell whether its rates made these tracers, and with which quirks",
        )

    def run(
        self,
        path: str | None = None,
        species: str | Sequence[str] | None = None,
        compare: str | None = None,
        against: str | None = None,
    ) -> NetworkResult:
        """Describe a network and return the result.

        Parameters
        ----------
        path
            File, folder or name of a shipped network; as `network.path`.
        species
            One name or several, in any spelling; as `network.species`.
        compare
            Another network to compare it with; as `network.compare`.
        against
            Tracers that it is to have made; as `network.against`.

        Raises
        ------
        DataError
            The network cannot be read, it has no such species, or other rates made the tracers.
        """
        config = self._settled(path=path, species=species, compare=compare, against=against)
        options = config["network"]

        from chemnet.chemistry.formats import read_parts
        from chemnet.chemistry.formats.row_files import ReadingOptions
        from chemnet.chemistry.network.neighbourhood import neighbourhood
        from chemnet.chemistry.network.survey import survey

        reading = ReadingOptions.of(options)
        parts = read_parts(options["path"], reading)
        noticed = {"notes": parts.reading.notes, "skipped": parts.reading.skipped}
        found = survey(parts.species, parts.reactions, parts.name, **noticed)
        chosen = _chosen(options["species"], parts.species, parts.name, reading.naming)
        around = [neighbourhood(parts.reactions, one) for one in chosen]
        compared = _compared(parts, options["compare"], reading) if options["compare"] else None
        made = _made(parts, config) if options["against"] else None
        with ResultWriter(config, verb="network") as writer:
            _write(writer, found, around, options["neighbours"], compared, made)
        return NetworkResult(writer.result)

    def plan(self, **given: Any) -> Answer:
        """Return what `run` would read and make of its arguments; nothing is written."""
        config = self._settled(**given)
        options = config["network"]
        graphs = [f"the graph around {one}" for one in options["species"]]
        return plan_answer(
            {
                f"network.{key}": options[key]
                for key in ("path", "compare", "against")
                if options[key] is not False
            },
            in_results(config, "network", ", ".join([SURVEY_FILE, OVERVIEW_FILE, *graphs])),
            SECONDS if options["against"] is False else "seconds to a minute",
        )

    def _settled(self, species: str | Sequence[str] | None = None, **paths: Any) -> ConfigDict:
        """Return the configuration with the arguments of `run`."""
        chosen = [species] if isinstance(species, str) else species and list(species)
        full = {key: in_full(path) for key, path in paths.items()}
        return self.with_arguments("network", {**full, "species": chosen})


def _compared(parts: NetworkParts, other: str, reading: ReadingOptions) -> Comparison:
    from chemnet.chemistry.network.network import Network as Reactions
    from chemnet.chemistry.rates.comparison import compare_networks

    ours = Reactions.from_parts(parts.species, parts.reactions, parts.name)
    return compare_networks(ours, Reactions.read(other, reading))


def _made(parts: NetworkParts, config: ConfigDict) -> NetworkAgainstSet:
    """Return what the steps of a network are off by along tracers that it made."""
    from chemnet.chemistry.network.network import Network as Reactions
    from chemnet.chemistry.network.rate_options import RateOptions
    from chemnet.data.readers.tracer_table import TracerTable
    from chemnet.evaluation.network_against_set import network_against_set

    path = config["network"]["against"]
    network = Reactions.from_parts(parts.species, parts.reactions, parts.name)
    network = network.with_rates(RateOptions.of(config["simulate"]))
    return network_against_set(network, TracerTable(config.replace({"data_set.path": path})), str(path))


def _chosen(
    wanted: Iterable[str], species: Sequence[NetworkSpecies], network: str, naming: Naming
) -> list[str]:
    """Return the network's own names of the species that were asked for."""
    from chemnet.chemistry.network.species_sums import TOTAL_ICE, positions_of

    known = [one.name for one in species]
    chosen: list[str] = []
    for name in wanted:
        described = name if name in known or name.startswith(TOTAL_ICE) else naming.described(name)
        try:
            chosen += [known[place] for place in positions_of(described, known)]
        except DataError as error:
            raise DataError(f"network {network!r} has no species {name!r}", hint=error.hint) from error
    return list(dict.fromkeys(chosen))


def _write(
    writer: ResultWriter,
    found: Survey,
    around: Sequence[Neighbourhood],
    neighbours: int,
    compared: Comparison | None,
    made: NetworkAgainstSet | None,
) -> None:
    from chemnet.figure_style import save_figure
    from chemnet.plots.network_graph import draw_neighbourhood, draw_survey

    content: dict[str, Any] = {
        "survey": found.to_dict(),
        "neighbourhoods": [one.to_dict() for one in around],
    }
    if compared is not None:
        content["comparison"] = compared.to_dict()
    if made is not None:
        content["against"] = made.to_dict()
    (writer.path / SURVEY_FILE).write_text(json.dumps(content, indent=2), encoding="utf-8")
    save_figure(draw_survey(found), writer.path / OVERVIEW_FILE, writer.config)
    for one in around:
        figure = draw_neighbourhood(one, neighbours)
        save_figure(figure, writer.path / _graph_file(one.species), writer.config)
    writer.summary |= {
        "network": found.name,
        "species": found.n_species,
        "reactions": found.n_reactions,
        "never_formed": len(found.never_formed),
        "never_destroyed": len(found.never_destroyed),
        "imbalances": len(found.imbalances),
        "duplicates": len(found.duplicates),
        "refused": len(found.refused),
        "skipped": len(found.skipped),
        "joined": found.n_joined,
    }
    if compared is not None:
        writer.summary |= {
            "added": len(compared.added),
            "missing": len(compared.missing),
            "other_rate": len(compared.changed),
        }


def _graph_file(species: str) -> str:
    from chemnet.plots.network_graph import plain_name

    return f"graph_{plain_name(species)}.png"
