"""The rate equations of a network and their analytic sparse Jacobian.

The ice as a whole enters many fluxes: the sums S of the surface and B of the bulk, the total T that the bulk
pushes up, and the net gain Y of the surface that shifts layers. Written out in abundances alone they would
fill the Jacobian. They stay its border instead: unknowns n .. n+3 with one equation each, so that the matrix
stays sparse.
"""

from chemnet.chemistry.equations.right_hand_side import (
    derivatives,
    jacobian,
    production_and_loss,
    reaction_fluxes,
)
from chemnet.chemistry.equations.structure import Equations, compile_equations

__all__ = [
    "Equations",
    "compile_equations",
    "derivatives",
    "jacobian",
    "production_and_loss",
    "reaction_fluxes",
]
