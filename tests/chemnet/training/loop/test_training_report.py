from __future__ import annotations

import pytest

from chemnet.training.loop.training_report import curves


def shown_ticks(axis: object, which: str) -> list[str]:
    """Return the labels of the ticks within an axis' limits."""
    low, high = getattr(axis, f"get_{which}lim")()
    labels = getattr(axis, f"get_{which}ticklabels")()
    places = getattr(axis, f"get_{which}ticks")()
    return [label.get_text() for label, x in zip(labels, places, strict=True) if low <= x <= high]


@pytest.mark.parametrize(("first", "last"), [(0.30, 0.36), (0.2, 1.5), (1e-4, 30.0)])
@pytest.mark.parametrize("epochs", [1, 3, 200])
def test_losses_have_labelled_ticks_and_epochs_are_whole(first: float, last: float, epochs: int) -> None:
    step = (last - first) / max(1, epochs - 1)
    records = [
        {"epoch": k + 1, "train_loss": last - k * step, "validate_loss": last - k * step, "lr": 1e-3}
        for k in range(epochs)
    ]
    figure = curves(records, "validate_loss")
    figure.canvas.draw()
    loss, rate = figure.axes
    assert len([text for text in shown_ticks(loss, "y") if text]) >= 2
    assert all(float(text) == int(text) for text in shown_ticks(rate, "x"))
    assert shown_ticks(rate, "x")


def test_a_constant_learning_rate_is_told() -> None:
    records = [{"epoch": k, "train_loss": 1.0 / k, "validate_loss": 1.0 / k, "lr": 3e-3} for k in (1, 2, 3)]
    figure = curves(records, "validate_loss")
    figure.canvas.draw()
    assert shown_ticks(figure.axes[1], "y") == ["0.003"]
    heights = [axis.get_position().height for axis in figure.axes]
    assert heights[1] < 0.5 * heights[0]
