"""Rate coefficients: from the typed reactions of a network to numbers, for any physical conditions."""

from chemnet.chemistry.rates.coefficients import rate_coefficients
from chemnet.chemistry.rates.table import RateTable, compile_rates

__all__ = ["RateTable", "compile_rates", "rate_coefficients"]
