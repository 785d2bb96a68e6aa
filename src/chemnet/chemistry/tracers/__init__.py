"""Tracers: the physical histories that a network is integrated along."""

from chemnet.chemistry.tracers.density import FAMILIES
from chemnet.chemistry.tracers.generate import (
    DEFAULT_WEIGHTS,
    check_options,
    generate_tracer,
    generate_tracers,
)
from chemnet.chemistry.tracers.tracer import (
    FURTHER_CONDITIONS,
    PHYSICAL_NAMES,
    PHYSICAL_UNITS,
    StaticPhase,
    Tracer,
)

__all__ = [
    "DEFAULT_WEIGHTS",
    "FAMILIES",
    "FURTHER_CONDITIONS",
    "PHYSICAL_NAMES",
    "PHYSICAL_UNITS",
    "StaticPhase",
    "Tracer",
    "check_options",
    "generate_tracer",
    "generate_tracers",
]
