"""Tables of tracers in any format that users bring, recognised by content."""

from chemnet.data.readers.tracer_table import TracerTable

__all__ = ["TracerTable"]
