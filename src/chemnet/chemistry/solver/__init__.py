"""Stiff integration of a network along tracers: error-controlled, conserving, and explicit about failure."""

from chemnet.chemistry.solver.outcome_codes import SolverCode, Statistics
from chemnet.chemistry.solver.solve import Solution, solve

__all__ = ["Solution", "SolverCode", "Statistics", "solve"]
