"""Clouds: UCLCHEM's standard models, from one point to points that shield one another."""

from chemnet.chemistry.clouds.cloud import Cloud, build_cloud
from chemnet.chemistry.clouds.layers import SHIELDING_SPECIES, Layers
from chemnet.chemistry.clouds.phases import CLOUDS

__all__ = ["CLOUDS", "SHIELDING_SPECIES", "Cloud", "Layers", "build_cloud"]
