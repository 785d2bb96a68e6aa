"""Tasks for Dask workers, which import this module in their own processes."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from made_network import closed_form_solve

from chemnet.chemistry.network.network import Network


def die_once(marker: Path) -> None:
    """Kill this process as the system's memory killer would; the next time do nothing."""
    if not marker.exists():
        marker.write_text(str(os.getpid()), encoding="utf-8")
        os.kill(os.getpid(), signal.SIGKILL)


def scaled(table: dict[str, Any], number: int) -> tuple[int, int]:
    """Return the process and a product with what was shared; task 5 kills its worker first."""
    if number == 5:
        die_once(table["marker"])
    return os.getpid(), table["factor"] * number


class DeadlyNetwork(Network):
    """A network in closed form, whose third integration kills its worker."""

    marker: Path
    integrated = 0

    def with_rates(self, options: Any) -> DeadlyNetwork:
        """Stay what it is: only the standard rates are asked for."""
        return self

    def solve(self, *arguments: Any, **options: Any) -> SimpleNamespace:  # type: ignore[override]
        """Integrate, or die."""
        DeadlyNetwork.integrated += 1
        if DeadlyNetwork.integrated == 3:
            die_once(self.marker)
        return closed_form_solve(self, *arguments, **options)
