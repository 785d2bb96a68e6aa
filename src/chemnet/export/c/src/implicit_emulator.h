/* An emulator of scaled abundances that corrects one implicit step of its network's rate equations:
 * chemnet.models.emulators.implicit. Where a step is expected to be wrong the equations are integrated. */
#ifndef CHEMNET_IMPLICIT_EMULATOR_H
#define CHEMNET_IMPLICIT_EMULATOR_H

#include "emulator.h"
#include "implicit_step.h"

typedef struct {
    int is_there, has_network, n_species;
    reaction_network network;
    place_list order;           /* (n_species): the place among the abundances of each of the network's species */
    int columns[N_CONDITIONS];  /* of the physical parameters, or -1 */
    iteration_limits limits;
    sub_step_plan sub_steps;
    double largest_error;         /* of a step that is not integrated [dex] */
    double sub_step_error;        /* of one by sub-steps [dex] */
    double solver_rtol;
    double decades;
    const float *centre, *width; /* (n_species) of scaled abundances */
    perceptron first, second, last;
} implicit_emulator;

/* of one thread: arrays for a block of cells */
typedef struct {
    step_workspace step;
    double *states, *conditions, *durations; /* in the network's order; of every cell */
    iterated *found;
    float *iterate, *update, *iterations, *expected, *before;
} implicit_workspace;

/* what holds in a block of cells */
typedef struct {
    const double *physical, *scaled_physical, *dt; /* scaled_physical: of one cell every `stride` */
    size_t stride;
    const double *scaling; /* (2, n_physical): log10 of the least, and decades of the range */
} forcing_block;

/* Does nothing where the emulator is of another kind. */
int chemnet_implicit_read(const bundle_file *file, const emulator *forcing, int n_physical, double decades, implicit_emulator *net);
void chemnet_implicit_free(implicit_emulator *net);
int chemnet_implicit_workspace_new(const implicit_emulator *net, size_t n_cells, implicit_workspace *work);
void chemnet_implicit_workspace_free(implicit_workspace *work);
size_t chemnet_implicit_scratch(const implicit_emulator *net, size_t n_cells);
/* Advances scaled abundances (n_cells, n_species) in place, but for cells that are flagged as bad input. Adds to the flags
 * how a step was done; its last update and its expected error [dex] are work->update and work->expected. */
void chemnet_implicit_advance(const implicit_emulator *net, const emulator *forcing, implicit_workspace *work, size_t n_cells,
                      const forcing_block *block, float *abundances, int32_t *flags, float *scratch);

#endif
