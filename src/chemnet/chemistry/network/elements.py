"""The chemical elements: standard atomic weights and how their symbols are written in capitals.

Weights are the abridged standard atomic weights (conventional values where a range is given) of the IUPAC
Commission on Isotopic Abundances and Atomic Weights: Prohaska et al. 2022, Pure Appl. Chem. 94, 573. The
masses of deuterium and of the other isotopes are from AME2020 (Wang et al. 2021), the electron's from CODATA
2018 (Tiesinga et al. 2021).
"""

from __future__ import annotations

ELECTRON_MASS = 5.48579909065e-4
"""Mass of the electron [amu]."""

ATOMIC_WEIGHTS: dict[str, float] = {
    "H": 1.008, "D": 2.014101778, "He": 4.002602, "Li": 6.94, "Be": 9.0122, "B": 10.81, "C": 12.011,
    "N": 14.007, "O": 15.999, "F": 18.998, "Ne": 20.180, "Na": 22.990, "Mg": 24.305, "Al": 26.982,
    "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45, "Ar": 39.95, "K": 39.098, "Ca": 40.078, "Sc": 44.956,
    "Ti": 47.867, "V": 50.942, "Cr": 51.996, "Mn": 54.938, "Fe": 55.845, "Co": 58.933, "Ni": 58.693,
    "Cu": 63.546, "Zn": 65.38, "Ga": 69.723, "Ge": 72.630, "As": 74.922, "Se": 78.971, "Br": 79.904,
    "Kr": 83.798, "Rb": 85.468, "Sr": 87.62, "Y": 88.906, "Zr": 91.224, "Nb": 92.906, "Mo": 95.95,
    "Ru": 101.07, "Rh": 102.91, "Pd": 106.42, "Ag": 107.87, "Cd": 112.41, "In": 114.82, "Sn": 118.71,
    "Sb": 121.76, "Te": 127.60, "I": 126.90, "Xe": 131.29, "Cs": 132.91, "Ba": 137.33, "La": 138.91,
    "Ce": 140.12, "Pr": 140.91, "Nd": 144.24, "Sm": 150.36, "Eu": 151.96, "Gd": 157.25, "Tb": 158.93,
    "Dy": 162.50, "Ho": 164.93, "Er": 167.26, "Tm": 168.93, "Yb": 173.05, "Lu": 174.97, "Hf": 178.49,
    "Ta": 180.95, "W": 183.84, "Re": 186.21, "Os": 190.23, "Ir": 192.22, "Pt": 195.08, "Au": 196.97,
    "Hg": 200.59, "Tl": 204.38, "Pb": 207.2, "Bi": 208.98, "Th": 232.04, "Pa": 231.04, "U": 238.03,
}  # fmt: skip
"""Standard atomic weight [amu] by symbol in normal spelling; elements without a weight are absent."""

ISOTOPE_MASSES: dict[str, float] = {
    "13C": 13.00335484, "15N": 15.00010890, "17O": 16.99913176, "18O": 17.99915961, "25Mg": 24.98583697,
    "26Mg": 25.98259297, "26Al": 25.98689188, "29Si": 28.97649466, "30Si": 29.97377014, "33S": 32.97145891,
    "34S": 33.96786701, "36S": 35.96708070, "37Cl": 36.96590257,
}  # fmt: skip
"""Mass [amu] of the isotopes that have a place in formulas, as in `[13C]O`; deuterium is D."""

WEIGHTS_IN_CAPITALS: dict[str, float] = {
    symbol.upper(): weight for symbol, weight in {**ATOMIC_WEIGHTS, **ISOTOPE_MASSES}.items()
}
"""Weights [amu] of elements and isotopes in capitals, which is how `Species.elements` names them."""

COMMON_ELEMENTS = frozenset(
    [
        *("H", "D", "HE", "LI", "C", "N", "O", "F", "NE", "NA", "MG", "AL"),
        *("SI", "P", "S", "CL", "AR", "CA", "TI", "CR", "MN", "FE", "NI"),
    ]
)
"""Elements of networks for interstellar gas, stars and atmospheres; another one needs its atom beside it."""

_SPLIT_IN_CAPITALS = frozenset("HDBCNOFPS")


def symbols_in_capitals() -> frozenset[str]:
    """Return the symbols that a name written in capitals can hold.

    `SI` can only be silicon there, but `CO` is carbon and oxygen: a pair whose two letters are both among
    H, D, B, C, N, O, F, P and S stands for these two, never for one heavier element. Co, Cs, Sc, Hf, Ho, Nb,
    Nd, Cd, Os, Pb, Pd, Sb and Sn therefore need their normal spelling.

    Examples
    --------
    >>> sorted({"HE", "CO", "CL", "NI", "CS"} & symbols_in_capitals())
    ['CL', 'HE', 'NI']
    """
    return frozenset(
        symbol
        for symbol in map(str.upper, ATOMIC_WEIGHTS)
        if len(symbol) == 1 or not set(symbol) <= _SPLIT_IN_CAPITALS
    )
