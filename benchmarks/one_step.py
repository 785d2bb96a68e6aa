"""One step of one cell, by every way that there is: microseconds per call."""

from __future__ import annotations

import io
import statistics
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from figures import Figure

from chemnet.surrogate.engine.fused_predictor import FusedPredictor
from chemnet.surrogate.predictor import ComponentPredictor, Parts

CALLS, REPEATS = 300, 7
PHYSICAL = np.array([[2e2, 3e1, 4e2, 5e1]])
USUAL = 3367.0


def one_step_figures(parts: Parts, clock: Callable[[], float]) -> list[Figure]:
    """Return the time of a step of the latents of one cell, by several ways."""
    figures = []
    for name, make in WAYS.items():
        label = f"one step of one cell, {name} [us]"
        target = 20.0 if name == "compiled kernel (Surrogate.stepper)" else None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                step = make(parts)
                step()
        except Exception as error:  # a way that this machine lacks is told, whatever it lacks
            figures.append(Figure(label, None, target, True, why_not=f"not here: {type(error).__name__}"))
            continue
        figures.append(Figure.of(label, microseconds(step, clock), target, at_most=True))
    return figures


def microseconds(step: Callable[[], Any], clock: Callable[[], float]) -> list[float]:
    """Return the time of a call in each repeat."""
    times = []
    for _ in range(REPEATS):
        each = []
        for _ in range(CALLS):
            before = clock()
            step()
            each.append(clock() - before)
        # what interrupts some of the calls is not theirs
        times.append(1e6 * statistics.median(each))
    return times


def kernel(parts: Parts) -> Callable[[], Any]:
    """Return the step of the compiled kernel."""
    predictor = FusedPredictor(parts)
    advance, _ = predictor.stepper(predictor.begin(torch.zeros(1, 14)))
    return lambda: advance(PHYSICAL, USUAL)


def eager(parts: Parts) -> Callable[[], Any]:
    """Return the plain step, scaling of the parameters included."""
    predictor = ComponentPredictor(parts)
    state = predictor.begin(torch.zeros(1, 14))
    physical, dt = torch.from_numpy(PHYSICAL), torch.full((1,), USUAL, dtype=torch.float64)

    def step() -> Any:
        with torch.inference_mode():
            return predictor.step(state, physical, dt)

    return step


def network_alone(parts: Parts) -> torch.nn.Module:
    """Return the perceptron without scaling, which is less than a step."""
    emulator: Any = parts.emulator
    return emulator.step.change.eval()


def inductor(parts: Parts) -> Callable[[], Any]:
    """Return the perceptron alone, compiled by PyTorch."""
    compiled, given = torch.compile(network_alone(parts)), torch.rand(1, 18)

    def step() -> Any:
        with torch.no_grad():
            return compiled(given)

    return step


def onnx(parts: Parts) -> Callable[[], Any]:
    """Return the perceptron alone in ONNX Runtime."""
    import onnxruntime

    file: Any = io.BytesIO()
    torch.onnx.export(network_alone(parts), (torch.rand(1, 18),), file, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file.getvalue(), options)
    name, given = session.get_inputs()[0].name, np.random.default_rng(0).random((1, 18), np.float32)
    return lambda: session.run(None, {name: given})


WAYS = {
    "compiled kernel (Surrogate.stepper)": kernel,
    "PyTorch eager": eager,
    "torch.compile, perceptron alone": inductor,
    "ONNX Runtime, perceptron alone": onnx,
}
