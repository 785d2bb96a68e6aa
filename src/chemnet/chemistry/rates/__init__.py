"""Rate coefficients: from the typed reactions of a network to numbers, for any physical conditions."""

from chemnet.chemistry.rates.coefficients import rate_coefficients
from chemnet.chemistry.rates.compiled_reactions import CompiledReactions, compile_reactions
from chemnet.chemistry.rates.table import RateTable

__all__ = ["CompiledReactions", "RateTable", "compile_reactions", "rate_coefficients"]
