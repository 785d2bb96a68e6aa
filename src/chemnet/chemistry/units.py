"""Units that chemistry and data share; no imports, so that readers of tables need no solver."""

SECONDS_PER_YEAR = 3.16e7
"""UCLCHEM's year [s]; the shared convention of all tracers."""
