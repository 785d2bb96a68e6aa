"""The shipped networks `collapse` and `collapse_bulk`: complete, balanced, sourced, free of typing errors."""

from __future__ import annotations

import csv
import math
from collections import Counter, defaultdict
from importlib import resources
from pathlib import Path

import pytest

from chemnet.chemistry.formats import native
from chemnet.chemistry.network.network import Network
from chemnet.chemistry.network.species_and_reactions import Reaction

COLLAPSE = Path(str(resources.files("chemnet.chemistry.networks"))) / "collapse"
KINDS_OF_UCLCHEM = ("CRP", "CRPHOT", "PHOTON", "LH")


@pytest.fixture(scope="module")
def network() -> Network:
    """The shipped network."""
    return Network.read("collapse")


def by_hand(network: Network) -> list[Reaction]:
    """Return the rows that are written out in the table."""
    return [
        one for one in network.reactions if one.source.startswith("reactions.csv") and "(" not in one.source
    ]


def test_it_has_the_species_of_a_collapsing_core(network: Network) -> None:
    phases = Counter(one.phase for one in network.species)
    assert phases == {"gas": 59, "surface": 30}
    assert network.elements == ("H", "HE", "C", "N", "O", "MG", "S")


def test_every_species_is_formed_and_destroyed(network: Network) -> None:
    change: dict[str, set[int]] = defaultdict(set)
    for one in network.reactions:
        for name in {*one.reactants, *one.products}:
            net = one.products.count(name) - one.reactants.count(name)
            change[name].add((net > 0) - (net < 0))
    assert {name for name in network.species_names if not {-1, 1} <= change[name]} == set()


def test_every_molecular_ion_recombines_with_electrons(network: Network) -> None:
    recombining = {one.reactants[0] for one in network.reactions if one.reactants[1:] == ("E-",)}
    ions = {one.name for one in network.species if one.charge > 0}
    assert ions - recombining == set()


def test_every_ice_species_has_gas_that_freezes_into_it(network: Network) -> None:
    made = {name for one in network.reactions if one.kind == "FREEZE" for name in one.products}
    assert {one.name for one in network.species if one.phase == "surface"} <= made


def test_every_gas_species_but_hydrogen_helium_and_electrons_freezes_out(network: Network) -> None:
    frozen = {one.reactants[0] for one in network.reactions if one.kind == "FREEZE"}
    assert {one.name for one in network.species if one.phase == "gas"} - frozen == {"H2", "HE", "E-"}


def test_ice_is_bound_and_gas_is_not(network: Network) -> None:
    for one in network.species:
        assert (one.binding_energy > 0.0) == (one.phase == "surface"), one.name


def test_ice_and_gas_share_one_enthalpy(network: Network) -> None:
    enthalpy = {one.name: one.enthalpy for one in network.species}
    assert {name for name in enthalpy if name[0] == "#" and enthalpy[name] != enthalpy[name[1:]]} == set()


def test_every_row_by_hand_names_its_source(network: Network) -> None:
    assert [str(one) for one in by_hand(network) if not one.reference] == []


def test_rates_of_collisions_stay_below_the_fastest_known(network: Network) -> None:
    for one in by_hand(network):
        for t in (10.0, 15.0, 30.0, 80.0, 150.0):
            if one.kind == "TWOBODY" and (one.t_min <= t <= one.t_max or one.extrapolate):
                assert 0.0 <= one.alpha * (t / 300.0) ** one.beta * math.exp(-one.gamma / t) < 1e-5, (one, t)


def test_methanol_is_made_by_adding_hydrogen_to_co_with_barriers(network: Network) -> None:
    steps = {
        one.products: one.gamma for one in network.reactions if one.kind == "LH" and "#H" in one.reactants
    }
    assert steps["#HCO",] > 0.0
    assert steps["#H2COH",] > 0.0
    assert steps["#H2CO",] == steps["#CH3OH",] == 0.0


def test_initial_abundances_are_neutral_and_count_one_hydrogen_nucleus(network: Network) -> None:
    given = native.initial_abundances(COLLAPSE)
    hydrogen = network.elements.index("H")
    nuclei = sum(y * network.stoichiometry[network.index(name), hydrogen] for name, y in given.items())
    charge = sum(y * network.charges[network.index(name)] for name, y in given.items())
    assert nuclei == pytest.approx(1.0)
    assert charge == pytest.approx(0.0, abs=1e-15)


def test_the_bulk_network_is_the_same_chemistry_in_three_phases(network: Network) -> None:
    bulk = Network.read("collapse_bulk")
    assert bulk.has_bulk
    assert bulk.species_names[: len(network.species)] == network.species_names
    assert [name.replace("@", "#") for name in bulk.species_names[89:]] == list(network.species_names[59:])
    assert set(map(str, network.reactions)) <= set(map(str, bulk.reactions))


def test_the_package_data_travel_with_the_readme() -> None:
    text = (COLLAPSE / "README.md").read_text(encoding="utf-8")
    assert "RATE12" in text
    assert "RATE22" in text


Key = tuple[str, tuple[str, ...], tuple[str, ...]]

DIFFERENT_ON_PURPOSE = {
    "CH3OH ice to H2COH": ("CRP", ("#CH3OH",), ("#H", "#H2COH")),
    "CH2 + O of RATE12, valid down to 10 K": ("TWOBODY", ("CH2", "O"), ("CO", "H", "H")),
    "H2 self-shielding has no alpha": ("PHOTON", ("H2",), ("H", "H")),
}


def uclchem_rows(file: Path) -> dict[Key, list[tuple[float, float, float]]]:
    """Return alpha, beta and gamma of UCLCHEM's rows, by kind, reactants and products."""
    found: dict[Key, list[tuple[float, float, float]]] = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            left = [row[f"Reactant {i}"] for i in (1, 2, 3)]
            right = [row[f"Product {i}"] for i in (1, 2, 3, 4)]
            kind = next((name for name in left if name in KINDS_OF_UCLCHEM), "TWOBODY")
            reactants = tuple(sorted(name for name in left if name not in (*KINDS_OF_UCLCHEM, "NAN")))
            products = tuple(sorted(name for name in right if name not in ("NAN", "PHOTON")))
            products = tuple("H2" if name == "#H2" else name for name in products)
            key = kind, reactants, tuple(sorted(products))
            found[key].append((float(row["Alpha"]), float(row["Beta"]), float(row["Gamma"])))
    return found


def test_no_coefficient_is_mistyped(network: Network, shared_data: Path) -> None:
    theirs = uclchem_rows(shared_data / "network" / "reactions.csv")
    mistyped = []
    for one in by_hand(network):
        key = one.kind, tuple(sorted(one.reactants)), tuple(sorted(one.products))
        lumped = " as " in one.reference
        other_range = one.t_min > 90.0 or one.t_max <= 100.0
        if key not in theirs or key in DIFFERENT_ON_PURPOSE.values() or lumped or other_range:
            continue
        ours = one.alpha, one.beta, one.gamma
        if not any(ours == pytest.approx(row, rel=1e-3, abs=1e-30) for row in theirs[key]):
            mistyped.append((str(one), ours, theirs[key]))
    assert mistyped == []
