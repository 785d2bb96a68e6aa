/* One implicit Euler step of the rate equations by a few Newton iterations: chemnet.chemistry.solver.implicit_cells. */
#ifndef CHEMNET_IMPLICIT_STEP_H
#define CHEMNET_IMPLICIT_STEP_H

#include "elimination.h"
#include "rate_equations.h"

#define MAX_ORDER 5

/* of one thread: arrays for one cell */
typedef struct {
    equation_scratch equations;
    lu_factors factors;
    double *k, *values, *right, *start, *x;
    /* of the solver alone */
    double *differences[MAX_ORDER + 3], *rescaled[MAX_ORDER + 1], *prediction, *history, *correction, *scale, *rate, *first;
    double *memory;
} step_workspace;

int chemnet_step_workspace_new(const reaction_network *net, step_workspace *work);
void chemnet_step_workspace_free(step_workspace *work);

typedef enum { CONVERGED = 0, NOT_CONVERGED = 1, SINGULAR = 2, NO_MEANING = 3 } step_code;

typedef struct {
    int least, most;  /* iterations */
    double tolerance; /* mean update [dex] at which they end */
} iteration_limits;

typedef struct {
    step_code code;
    int iterations;
    double update; /* the last mean update [dex] */
} iterated;

/* Whether rates have a meaning under these conditions (N_CONDITIONS) over `duration` [s]. */
int chemnet_has_rates(const reaction_network *net, const double *conditions, double duration);
/* Iterates from work->start (n); the iterate is work->x. */
iterated chemnet_iterate(const reaction_network *net, step_workspace *work, const double *conditions, double duration,
                 const iteration_limits *limits);

#endif
