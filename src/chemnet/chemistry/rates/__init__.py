"""Rate coefficients: from the typed reactions of a network to numbers, for any physical conditions."""

from chemnet.chemistry.rates.coefficients import rate_coefficients
from chemnet.chemistry.rates.table import CompiledReactions, RateTable, compile_reactions

__all__ = ["CompiledReactions", "RateTable", "compile_reactions", "rate_coefficients"]
