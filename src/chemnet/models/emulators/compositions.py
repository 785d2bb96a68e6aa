"""The emulators that chemnet brings, by name: each a space and a step, or several of them."""

from __future__ import annotations

from chemnet.models.emulators.emulator import Emulator
from chemnet.models.emulators.ensembles.ensemble import Ensemble
from chemnet.models.emulators.spaces.abundance import AbundanceSpace, StandardisedAbundanceSpace
from chemnet.models.emulators.spaces.latent import LatentSpace
from chemnet.models.emulators.steps.neural_operator import NeuralOperatorStep
from chemnet.models.emulators.steps.ode import ODEStep
from chemnet.models.emulators.steps.recurrent import RecurrentStep
from chemnet.models.emulators.steps.relaxation import RelaxationStep
from chemnet.models.emulators.steps.residual import ResidualStep
from chemnet.registry import chem_model


@chem_model
class LatentEmulator(Emulator, space=LatentSpace, step=ResidualStep):
    """Residual perceptron on the latents of an autoencoder."""


@chem_model
class LatentRelaxation(Emulator, space=LatentSpace, step=RelaxationStep):
    """Relaxation of the latents of an autoencoder."""


@chem_model
class LatentRNN(Emulator, space=LatentSpace, step=RecurrentStep):
    """Gated recurrent unit on the latents of an autoencoder."""


@chem_model
class LatentNeuralOperator(Emulator, space=LatentSpace, step=NeuralOperatorStep):
    """Mixing blocks over the latents of an autoencoder."""


@chem_model
class LatentODE(Emulator, space=LatentSpace, step=ODEStep):
    """Neural differential equation of the latents of an autoencoder."""


@chem_model
class DirectEmulator(Emulator, space=AbundanceSpace, step=ResidualStep):
    """Residual perceptron on the scaled abundances, without an autoencoder."""


@chem_model
class DirectRelaxation(Emulator, space=StandardisedAbundanceSpace, step=RelaxationStep):
    """Relaxation of the scaled abundances, without an autoencoder."""


@chem_model
class LatentEnsemble(Ensemble, role="emulator"):
    """Deep ensemble of emulators of latents around one frozen autoencoder."""


@chem_model
class DirectEnsemble(Ensemble, role="direct_emulator"):
    """Deep ensemble of direct emulators."""
