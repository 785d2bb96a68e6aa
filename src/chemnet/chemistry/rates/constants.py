"""Physical constants and those of the standard grain model, in cgs units.

The grains are `STANDARD_GRAIN`, with the cross section per hydrogen nucleus of Cazaux & Tielens (2004, ApJ
604, 222); rate coefficients of other grains are those of the standard ones times a factor per row.
"""

from chemnet.chemistry.network.rate_options import STANDARD_GRAIN

BOLTZMANN = 1.380649e-16
"""Boltzmann constant [erg K^-1]."""
REDUCED_PLANCK = 1.054571818e-27
"""Reduced Planck constant [erg s]."""
GAS_CONSTANT = 8.314462618
"""Gas constant [J mol^-1 K^-1]."""
JOULE_PER_KCAL = 4184.0
"""Joules in a kilocalorie."""

GRAIN_RADIUS = STANDARD_GRAIN.radius
"""Grain radius [cm]."""
MONOLAYER = STANDARD_GRAIN.monolayer
"""Abundance of one monolayer of ice relative to hydrogen nuclei."""
SITE_DENSITY = STANDARD_GRAIN.site_density
"""Binding sites on a grain [cm^-2]."""

SILICATE_SECTION = 8.473e-22
"""Cross section of silicate per hydrogen nucleus [cm^2]."""
CARBON_SECTION = 7.908e-22
"""Cross section of carbonaceous grains per hydrogen nucleus [cm^2]."""
GRAIN_SECTION = 0.5 * (CARBON_SECTION + SILICATE_SECTION)
"""Collision cross section of grains per hydrogen nucleus [cm^2]."""
GRAIN_AREA = 4.0 * GRAIN_SECTION
"""Surface of grains per hydrogen nucleus [cm^2]."""
MAX_GRAIN_TEMPERATURE = 150.0
"""Above it [K] nothing stays on grains long enough to freeze out or react."""
BARRIER_WIDTH = 1.4e-8
"""Width of the barrier for tunnelling between sites [cm] (Hasegawa et al. 1992)."""
DIFFUSION_RATIO = STANDARD_GRAIN.diffusion_ratio
"""Diffusion barrier over binding energy."""

HABING_PER_DRAINE = 1.7
"""Photorates are tabulated for the Draine field; tracers give the field in Habing."""
ALBEDO = STANDARD_GRAIN.albedo
"""Grain albedo for cosmic-ray induced photons."""
NUCLEI_PER_MAGNITUDE = 1.0 / 5.348e-22
"""Column of hydrogen nuclei per magnitude of visual extinction [cm^-2 mag^-1]."""
ICE_PHOTO_RATIO = 0.3
"""Photodissociation cross section in ice over gas (Kalvans 2018, MNRAS 478, 2753)."""
LAYER_TRANSMISSION = 0.993
"""Share of photons that a monolayer of ice lets through (Kalvans & Shmeld 2014)."""

H2_YIELD = STANDARD_GRAIN.h2_yield
"""Molecules desorbed per H2 formed (Roberts et al. 2007, MNRAS 382, 733)."""
H2_DESORPTION_LIMIT = 1210.0
"""Largest binding energy that H2 formation overcomes [K]."""
CR_YIELD = STANDARD_GRAIN.cr_yield
"""Molecules desorbed per cosmic-ray hit."""
CR_DESORPTION_LIMIT = 1210.0
"""Largest binding energy that a cosmic-ray hit overcomes [K]."""
IRON_FRACTION = 1.64e-4
"""Iron nuclei per proton in cosmic rays, the ones that heat a grain."""
UV_YIELD = STANDARD_GRAIN.uv_yield
"""Molecules desorbed per UV photon."""
UV_DESORPTION_LIMIT = 1e4
"""Largest binding energy that a UV photon overcomes [K]."""
CR_PHOTON_FLUX = 4875.0
"""Cosmic-ray induced photons [cm^-2 s^-1] at zeta = 1 (Checchi-Pestellini & Aiello 1992)."""
CR_PHOTON_FIELD = 1e-3
"""The same flux as a radiation field [Habing]."""

QUIRK_FLOOR = 1e-20
"""UCLCHEM stops grain processes that concern less ice than this."""
EFFECTIVE_SURFACE_MASS = 120.0
"""Mass of the ice that takes up reaction heat [amu] (Minissale et al. 2016, A&A 585, A24)."""
ICE_DESORPTION_REDUCTION = 10.0
"""Chemical desorption from ice is weaker than from bare grains by this factor (Minissale et al. 2016)."""
NITROGEN_DESORPTION_FRACTION = 0.5
"""Measured for N + N on ice (Minissale et al. 2016)."""
