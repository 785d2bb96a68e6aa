/* A network of reactions as plain arrays: what rates, equations and the elimination of their matrix need. The arrays are
 * those of chemnet.chemistry.solver.ImplicitStep.to_arrays; all positions are checked once, when they are read. */
#ifndef CHEMNET_REACTION_NETWORK_H
#define CHEMNET_REACTION_NETWORK_H

#include "bundle_file.h"

/* columns of physical conditions; the last four are columns of matter [cm^-2] that shield, NaN: that from Av */
enum { DENSITY, RADIATION, EXTINCTION, GAS_TEMPERATURE, DUST_TEMPERATURE, ZETA, COLUMN_NUCLEI, COLUMN_H2, COLUMN_CO, COLUMN_C,
       N_CONDITIONS };

/* rows of `parameters` */
enum { ALPHA, BETA, GAMMA, T_MIN, T_MAX, FREQUENCY_1, FREQUENCY_2, ENERGY_1, ENERGY_2, TUNNELLING, SHARE, SPEED, FIT_MIN,
       FIT_MAX, BARRIER_1, BARRIER_2, SCALE, LOG_FIT_MIN, LOG_FIT_MAX, N_PARAMETERS };

/* rows that follow one formula and come first; run k begins at run[k] */
enum { SWAP_RUN, ARRHENIUS_RUN, PHOTON_RUN, EVAPORATION_RUN, DIFFUSION_RUN, REST, N_RUNS };

enum { N_FACTORS = 7, H2_KNOTS = 6, MOST_CO_KNOTS = 16, MOST_TOTALS = 40 };

typedef struct {
    uint32_t *at;
    uint32_t count;
} place_list;

/* output e is the sum of terms[start[e]:turn[e]] less that of terms[turn[e]:start[e + 1]]; the first outputs are one term
 * each, those after them the negative of one */
typedef struct {
    uint32_t n_outputs, n_copied, n_negated;
    place_list start, turn, terms;
} signed_sum;

typedef struct {
    uint32_t size, n_sparse, blocks; /* blocks: of 8 rows, of the dense tail */
    place_list order, entry_start, entry, entry_column, lower_start, lower_column, upper_start, upper_column;
} elimination_plan;

typedef struct {
    uint32_t n, n_border, n_swap, n_entries, n_reactions, n_co;
    int electron, carbon, is_compatible; /* positions or -1; whether UCLCHEM's quirks are reproduced */
    const double *parameters;            /* (N_PARAMETERS, n_reactions) */
    place_list formula, density_power;
    uint32_t run[N_RUNS];
    const double *co_grid, *co_shielding, *co_curvature; /* (n_co), (n_co, H2_KNOTS) twice */
    place_list reactant[3], factor;
    place_list surface, bulk, under, scaled, ternary, further, shift, ones;
    signed_sum flow, assembly;
    double monolayer;
    elimination_plan plan;
    place_list evaporating, freezing, partners, freezes;
    uint32_t n_invariants, n_watched;
    const double *invariants, *watched; /* (n, n_invariants), (n, n_watched) */
    double lowest, highest;             /* gas temperatures that are covered [K] */
    double nuclei_per_av;               /* of this dust over that of the standard one */
} reaction_network;

/* Reads the arrays whose names begin with "step."; CHEMNET_DAMAGED where one is missing or points outside another. */
int chemnet_network_read(const bundle_file *file, reaction_network *net);
void chemnet_network_free(reaction_network *net);

#endif
