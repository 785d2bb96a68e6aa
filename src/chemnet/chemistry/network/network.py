"""A chemical network: species, typed reactions, and the checks that make them one consistent whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chemnet.chemistry.network.balance import balanced_freeze, check_reaction, imbalance
from chemnet.chemistry.network.rate_options import STANDARD_GRAIN, RateOptions, scale_factors
from chemnet.chemistry.network.species_and_reactions import NetworkSpecies, Reaction
from chemnet.chemistry.network.stoichiometry import charges, element_names, stoichiometric_matrix
from chemnet.errors import DataError, suggest
from chemnet.progress import get_logger

if TYPE_CHECKING:
    from chemnet.chemistry.formats.row_files import ReadingOptions
    from chemnet.chemistry.solver.solve import Solution

_log = get_logger(__name__)


class Network:
    """Species and reactions that have passed the consistency checks.

    Make one with `Network.read` or `Network.from_parts`; the object never changes afterwards.

    Examples
    --------
    >>> network = Network.read("collapse")
    >>> network
    Network('collapse', 89 species, 668 reactions)
    >>> network.species_names.index("CO") == network.index("CO")
    True
    """

    def __init__(
        self,
        species: tuple[NetworkSpecies, ...],
        reactions: tuple[Reaction, ...],
        name: str,
        standard_abundances: Mapping[str, float] | None = None,
    ) -> None:
        self.species = species
        self.reactions = reactions
        self.name = name
        self.standard_abundances = dict(standard_abundances or {})
        self.rate_options = RateOptions()

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {len(self.species)} species, {len(self.reactions)} reactions)"

    @classmethod
    def from_parts(
        cls,
        species: Sequence[NetworkSpecies],
        reactions: Sequence[Reaction],
        name: str = "network",
        standard_abundances: Mapping[str, float] | None = None,
    ) -> Network:
        """Build a network after checking every species name and the balance of every reaction.

        Parameters
        ----------
        species, reactions
            The parts, in the order that arrays will follow.
        name
            What messages and result files call it.
        standard_abundances
            Abundances relative to H nuclei that come with it, for runs that name none.

        Raises
        ------
        DataError
            If a species is listed twice or unknown, a kind is unknown, or a reaction does not conserve
            elements or charge. Freeze-out and desorption may change the charge of the gas: the grain carries
            it. A freeze-out row that creates atoms is accepted if a balanced one can stand in for it, see
            `mended`.
        """
        counts = Counter(one.name for one in species)
        repeated = sorted(name for name, count in counts.items() if count > 1)
        if repeated:
            raise DataError(
                f"network {name!r} lists species twice: {', '.join(repeated)}",
                hint="keep one row per species",
            )
        known = {one.name: one for one in species}
        for reaction in reactions:
            check_reaction(reaction, known)
        return cls(tuple(species), tuple(reactions), name, standard_abundances)

    @classmethod
    def read(cls, path: str | Path, options: ReadingOptions | None = None) -> Network:
        """Read a network in any supported format, told apart by content, or one that chemnet ships, by name.

        Parameters
        ----------
        path
            A file or folder (UCLCHEM, UMIST, KIDA, KROME or chemnet's own format), or a name such as
            `"collapse"`.
        options
            How names, temperature ranges and unreadable rows are taken; the keys of `[network]`.

        Raises
        ------
        DataError
            If nothing is there, the format is not recognised, or the content fails the checks of
            `from_parts`.
        """
        from chemnet.chemistry.formats import read_parts, read_standard_abundances

        parts = read_parts(path, options)
        for line in parts.reading.notes:
            _log.warning("network %s: %s", parts.name, line)
        if parts.reading.skipped:
            _log.warning(
                "network %s: %d of %d rows are left out, as network.skip_unreadable asks; `chemnet "
                "network` lists them",
                parts.name, len(parts.reading.skipped), parts.reading.rows,
            )  # fmt: skip
        return cls.from_parts(parts.species, parts.reactions, parts.name, read_standard_abundances(path))

    def with_rates(self, options: RateOptions) -> Network:
        """Return the same network with another grain model, or with some rates scaled.

        Raises
        ------
        DataError
            A factor names no reaction of the network.
        """
        scale_factors(self.reactions, options.scale)
        if options.grain != STANDARD_GRAIN and any(one.kind == "ED" for one in self.reactions):
            _log.warning("network %s: rows of type ED keep the standard grain model", self.name)
        network = Network(self.species, self.reactions, self.name, self.standard_abundances)
        network.rate_options = options
        return network

    @cached_property
    def species_names(self) -> tuple[str, ...]:
        """Names in the order of every abundance array."""
        return tuple(one.name for one in self.species)

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Elements in the network, lightest first."""
        return element_names(self.species_names)

    @cached_property
    def stoichiometry(self) -> NDArray[np.float64]:
        """Atoms of each element in each species, shape (n_species, n_elements)."""
        return stoichiometric_matrix(self.species_names, self.elements)

    @cached_property
    def charges(self) -> NDArray[np.float64]:
        """Charge of each species, shape (n_species,)."""
        return np.asarray(charges(self.species_names), dtype=np.float64)

    @cached_property
    def has_bulk(self) -> bool:
        """Whether the ice has a bulk under its surface (three-phase network)."""
        return any(one.phase == "bulk" for one in self.species)

    @cached_property
    def mended(self) -> dict[Reaction, Reaction]:
        """Freeze-out rows that create or destroy atoms, and the balanced rows that stand in for them."""
        known = {one.name: one for one in self.species}
        broken = [one for one in self.reactions if one.kind == "FREEZE" and imbalance(one, known)[0]]
        return {
            one: replacement for one in broken if (replacement := balanced_freeze(one, known)) is not None
        }

    def index(self, species: str) -> int:
        """Return the position of `species` in every abundance array.

        Raises
        ------
        DataError
            If the network has no such species.
        """
        try:
            return self._positions[species]
        except KeyError:
            raise DataError(
                f"network {self.name!r} has no species {species!r}", hint=suggest(species, self.species_names)
            ) from None

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.species_names)}

    def solve(
        self,
        tracer: Mapping[str, ArrayLike],
        initial: ArrayLike | Mapping[str, float],
        uclchem_compatible: bool = False,
        **options: Any,
    ) -> Solution:
        """Integrate the chemistry along one tracer.

        Parameters
        ----------
        tracer
            Arrays of shape (steps,): `time` [yr], `Density` [H nuclei cm^-3], `Radfield` [Habing], `Av`
            [mag], `gasTemp` [K]; optionally `zeta` [1.3e-17 s^-1], `dustTemp` [K] and the column densities
            [cm^-2] that shield, `N_total` (H nuclei), `N_H2`, `N_CO` and `N_C`, in place of those from Av.
        initial
            Abundances relative to H nuclei at the first step, shape (n_species,), or a mapping from species
            to abundance.
        uclchem_compatible
            Whether to reproduce UCLCHEM's known quirks instead of the intended physics.
        **options
            `rtol`, `atol`, `method`, `interpolation`: see `chemnet.chemistry.solver.solve`.

        Returns
        -------
        Solution
            `abundances` of shape (steps, n_species), the result `code` and `statistics`.

        Raises
        ------
        DataError
            If the tracer or the initial abundances are not usable, or a temperature is outside what the
            reactions cover; a solver that gives up raises nothing, see `code`.
        """
        # a circle between files, for `network.solve` is what a user looks for
        from chemnet.chemistry.solver.solve import solve

        return solve(self, tracer, initial, uclchem_compatible=uclchem_compatible, **options)
