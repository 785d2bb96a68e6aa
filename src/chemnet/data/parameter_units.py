"""Units of the physical parameters that chemnet knows by name, for headings and axes."""

from __future__ import annotations

UNITS = {
    "time": "yr",
    "error": "dex",
    "Density": "cm$^{-3}$",
    "Radfield": "Habing",
    "Av": "mag",
    "gasTemp": "K",
    "dustTemp": "K",
    "zeta": "1.3e-17 s$^{-1}$",
    **dict.fromkeys(("N_total", "N_H2", "N_CO", "N_C"), "cm$^{-2}$"),
}


def axis_label(name: str) -> str:
    """Return ``"gasTemp [K]"`` for an axis (matplotlib mathtext); the bare name when its unit is not known.

    Examples
    --------
    >>> axis_label("gasTemp"), axis_label("redshift")
    ('gasTemp [K]', 'redshift')
    """
    return f"{name} [{UNITS[name]}]" if name in UNITS else name


def with_unit(name: str) -> str:
    """Return ``"Density [cm^-3]"``: the same in plain text. Densities are those of H nuclei.

    Examples
    --------
    >>> with_unit("Density")
    'Density [cm^-3]'
    """
    return f"{name} [{plain_unit(name)}]" if name in UNITS else name


def plain_unit(name: str) -> str:
    """Return ``"cm^-3"``, the unit of a parameter in plain text; empty when it is not known.

    Examples
    --------
    >>> plain_unit("Density"), plain_unit("redshift")
    ('cm^-3', '')
    """
    return UNITS.get(name, "").replace("$^{", "^").replace("}$", "")
