"""Where each flux and each derivative goes: worked out once per network, as lists of positions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chemnet.chemistry.network.network import Network
from chemnet.chemistry.rates.compiled_reactions import CompiledReactions
from chemnet.chemistry.rates.table import Factor, Formula

SURFACE_SUM, BULK_SUM, SWAP_SUM, SURFACE_GAIN = range(4)
"""The border unknowns S, B, T and Y."""

_BORDERS: dict[Factor, tuple[int, ...]] = {
    Factor.PER_SURFACE: (SURFACE_SUM,),
    Factor.BULK_EXPOSED: (BULK_SUM,),
    Factor.SWAP: (SURFACE_SUM, SWAP_SUM),
    Factor.BULK_PHOTON: (BULK_SUM,),
    Factor.TOP_LAYERS: (SURFACE_SUM,),
    Factor.TOP_LAYERS_SQUARED: (SURFACE_SUM,),
}
"""What each factor depends on."""
THIRD_REACTANT = 3
"""Slot of a further derivative that is by the third reactant; slots 0 to 2 are by S, B and T."""


class SignedSum(NamedTuple):
    """Sums of terms with signs.

    Output e is the sum of terms `terms[start[e]:turn[e]]` less that of `terms[turn[e]:start[e+1]]`. A term
    that counts twice is listed twice. Gathering is several times faster than scattering into the outputs. The
    first `n_copied` outputs are one term each, and the `n_negated` after them the negative of one.
    """

    n_copied: int
    n_negated: int
    start: NDArray[np.uint32]
    turn: NDArray[np.uint32]
    terms: NDArray[np.uint32]


class Equations(NamedTuple):
    """Positions that right-hand side and Jacobian read and write.

    `n` species and `n_border` border unknowns (0 gas only, 1 two-phase, 4 three-phase). `flow` sums fluxes
    into rates (rows of species, then of the border); `assembly` sums derivatives of fluxes into the
    Jacobian's values. These derivatives are, over reactions, by the first and by the second reactant, and
    then those that `further` lists as (reaction, slot). `reactants` (4, m) holds three positions in the
    extended state and the factor. `shift` holds the places of the layer shift's derivatives by #i, @i, Y, S
    and B in row #i, then in row @i. `monolayer` is the abundance of one layer of ice.
    """

    n: int
    n_border: int
    n_swap: int
    n_entries: int
    electron: int
    reactants: NDArray[np.uint32]
    surface: NDArray[np.int32]
    bulk: NDArray[np.int32]
    under: NDArray[np.int32]
    scaled: NDArray[np.uint32]
    ternary: NDArray[np.uint32]
    further: NDArray[np.int32]
    flow: SignedSum
    assembly: SignedSum
    shift: NDArray[np.int32]
    ones: NDArray[np.int32]
    monolayer: float


class _Pattern:
    """Gives each entry of the Jacobian one position among its values."""

    def __init__(self) -> None:
        self.places: dict[tuple[int, int], int] = {}

    def place(self, row: int, column: int) -> int:
        """Return the position of an entry's value."""
        return self.places.setdefault((row, column), len(self.places))


def compile_equations(
    network: Network, reactions: CompiledReactions
) -> tuple[Equations, NDArray[np.int32], NDArray[np.int32]]:
    """Work out the static pattern of the Jacobian and where each reaction's derivatives go.

    Parameters
    ----------
    network
        The network.
    reactions
        Its compiled reactions.

    Returns
    -------
    tuple
        The equations, and row and column of each entry of the Jacobian.
    """
    n = len(network.species)
    phases = [one.phase for one in network.species]
    surface = [i for i, phase in enumerate(phases) if phase == "surface"]
    bulk = [i for i, phase in enumerate(phases) if phase == "bulk"]
    n_border = 4 if bulk else min(1, len(surface))
    electron = network.index("E-") if "E-" in network.species_names else -1
    changes = _extended_changes(reactions, n, set(surface), n_border)
    further = _further_derivatives(reactions, n)
    pattern = _Pattern()
    terms = _derivative_terms(reactions.reactants, changes, further, [*range(n), -1, electron], pattern)
    under = [network.index(f"@{network.species[i].name[1:]}") if bulk else -1 for i in surface]
    shift = _shift_places(surface, under, n, pattern) if n_border == 4 else []
    ones = [pattern.place(n + SURFACE_SUM, i) for i in surface]
    ones += [pattern.place(n + BULK_SUM, i) for i in bulk]
    rank = _ranks(terms, len(pattern.places))
    entries = np.empty((len(rank), 2), np.int32)
    entries[rank] = np.array(list(pattern.places), np.int32).reshape(-1, 2)
    flows = ((row, r, count) for r, change in enumerate(changes) for row, count in change.items())
    factor = np.array(reactions.factors, np.int32)
    equations = Equations(
        n=n,
        n_border=n_border,
        n_swap=int(np.sum(reactions.formulae == Formula.BULK_SWAP)),
        n_entries=len(entries),
        electron=electron,
        reactants=np.vstack([reactions.reactants.T, factor]).astype(np.uint32),
        surface=np.array(surface, np.int32),
        bulk=np.array(bulk, np.int32),
        under=np.array(under, np.int32),
        scaled=np.flatnonzero(factor != Factor.ONE).astype(np.uint32),
        ternary=np.flatnonzero(reactions.reactants[:, 2] != n).astype(np.uint32),
        further=np.array(further, np.int32).reshape(-1, 2),
        flow=_signed_sum(flows, n + 4),
        assembly=_signed_sum([(int(rank[place]), term, count) for place, term, count in terms], len(entries)),
        shift=rank[np.array(shift, np.int32)].reshape(-1, 10),
        ones=rank[np.array(ones, np.int32)],
        monolayer=network.rate_options.grain.monolayer,
    )
    return equations, entries[:, 0].copy(), entries[:, 1].copy()


def _extended_changes(
    reactions: CompiledReactions, n: int, surface: set[int], n_border: int
) -> list[dict[int, int]]:
    """Return each reaction's net change by row, with what it adds to T and to Y."""
    changes = []
    for formula, change in zip(reactions.formulae, reactions.changes, strict=True):
        extended = dict(change)
        if n_border == 4:
            gain = sum(count for row, count in change.items() if row in surface)
            if formula == Formula.BULK_SWAP:
                extended[n + SWAP_SUM] = 1
            if gain:
                extended[n + SURFACE_GAIN] = gain
        changes.append(extended)
    return changes


def _further_derivatives(reactions: CompiledReactions, n: int) -> list[tuple[int, int]]:
    """Return (reaction, slot) of each derivative by a border unknown or a third reactant."""
    further = []
    for r, factor in enumerate(reactions.factors):
        further += [(r, border) for border in _BORDERS.get(factor, ())]
        if reactions.reactants[r, 2] != n:
            further.append((r, THIRD_REACTANT))
    return further


def _derivative_terms(
    reactants: NDArray[np.int32],
    changes: list[dict[int, int]],
    further: list[tuple[int, int]],
    column_of: list[int],
    pattern: _Pattern,
) -> list[tuple[int, int, int]]:
    """Return (place in the Jacobian, derivative, count) for every contribution; columns of -1 have none."""
    n = len(column_of) - 2
    n_reactions = len(changes)
    derivatives = [
        (r, column_of[reactants[r, slot]], slot * n_reactions + r)
        for slot in (0, 1)
        for r in range(n_reactions)
    ]
    for position, (r, slot) in enumerate(further):
        column = column_of[reactants[r, 2]] if slot == THIRD_REACTANT else n + slot
        derivatives.append((r, column, 2 * n_reactions + position))
    return [
        (pattern.place(row, column), derivative, count)
        for r, column, derivative in derivatives
        if column >= 0
        for row, count in changes[r].items()
    ]


def _shift_places(surface: list[int], under: list[int], n: int, pattern: _Pattern) -> list[list[int]]:
    """Return the places of the layer shift's derivatives."""
    places = []
    for top, low in zip(surface, under, strict=True):
        columns = (top, low, n + SURFACE_GAIN, n + SURFACE_SUM, n + BULK_SUM)
        places.append([pattern.place(row, column) for row in (top, low) for column in columns])
    return places


def _ranks(terms: list[tuple[int, int, int]], n_outputs: int) -> NDArray[np.int32]:
    """Return positions of the outputs by which those with as many terms follow one another.

    Loops of the same length in a row are what the processor's branch prediction lives on.
    """
    counts = np.zeros((2, n_outputs), np.int64)
    for output, _, count in terms:
        counts[int(count < 0), output] += abs(count)
    adding, taking = counts
    many = (adding + taking != 1).astype(np.int64)
    order = np.lexsort((adding, taking, many))
    rank = np.empty(n_outputs, np.int32)
    rank[order] = np.arange(n_outputs)
    return rank


def _signed_sum(terms: Iterable[tuple[int, int, int]], n_outputs: int) -> SignedSum:
    """Group (output, term, count) by output, positive counts first."""
    adding: list[list[int]] = [[] for _ in range(n_outputs)]
    taking: list[list[int]] = [[] for _ in range(n_outputs)]
    for output, term, count in terms:
        (adding if count > 0 else taking)[output].extend([term] * abs(count))
    plus = np.array([len(part) for part in adding], np.int64)
    both = plus + [len(part) for part in taking]
    start = np.concatenate([[0], np.cumsum(both)])
    index = [term for output in range(n_outputs) for term in adding[output] + taking[output]]
    n_copied = int(np.argmin(np.append((plus == 1) & (both == 1), False)))
    negated = np.append((plus == 0) & (both == 1), False)
    return SignedSum(
        n_copied,
        int(np.argmin(negated[n_copied:])),
        start.astype(np.uint32),
        (start[:-1] + plus).astype(np.uint32),
        np.array(index, np.uint32),
    )
