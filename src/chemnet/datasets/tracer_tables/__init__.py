"""Tables of tracers in any format that users bring, recognised by content."""

from chemnet.datasets.tracer_tables.dataset import TracerTable

__all__ = ["TracerTable"]
