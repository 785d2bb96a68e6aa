/* One implicit Euler step of the rate equations by a few Newton iterations: chemnet.chemistry.solver.implicit_cells. */
#ifndef CHEMNET_IMPLICIT_STEP_H
#define CHEMNET_IMPLICIT_STEP_H

#include "elimination.h"
#include "rate_equations.h"

#define MAX_ORDER 5

/* of one thread */
typedef struct {
    /* cells side by side */
    equation_arrays abreast;
    lu_factors factors_abreast;
    double *start_abreast, *right_abreast, *duration;
    /* one cell; the last two lines are for sub-steps and solver */
    equation_arrays one;
    lu_factors factors;
    double *right, *start, *x;
    double *prediction, *history, *correction, *scale, *first;
    double *differences[MAX_ORDER + 3], *rescaled[MAX_ORDER + 1];
    void *memory;
} step_workspace;

int chemnet_step_workspace_new(const reaction_network *net, step_workspace *work);
void chemnet_step_workspace_free(step_workspace *work);

typedef enum { CONVERGED = 0, NOT_CONVERGED = 1, SINGULAR = 2, NO_MEANING = 3 } step_code;

typedef struct {
    int least, most;  /* iterations */
    double tolerance; /* mean update [dex] at which they end */
} iteration_limits;

typedef struct {
    int count;
    double growth;    /* how much longer each is than the one before */
    double tolerance; /* mean update [dex] at which a stage has converged */
} sub_step_plan;

typedef struct {
    step_code code;
    int iterations;
    double update; /* the last mean update [dex] */
} iterated;

/* Whether rates have a meaning under these conditions (N_CONDITIONS) over `duration` [s]. */
int chemnet_has_rates(const reaction_network *net, const double *conditions, double duration);
/* Iterates cells from the abundances in `states` (n_cells, n), which become the iterates, under conditions (n_cells,
 * N_CONDITIONS) over durations (n_cells) [s]. */
void chemnet_iterate(const reaction_network *net, step_workspace *work, size_t n_cells, const iteration_limits *limits,
             double *states, const double *conditions, const double *durations, iterated *found);
/* Integrates from work->start by growing sub-steps; the end is work->x. Returns whether they resolve the change. */
int chemnet_sub_step(const reaction_network *net, step_workspace *work, const double *conditions, double duration,
             const sub_step_plan *plan);

#endif
