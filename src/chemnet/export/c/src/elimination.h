/* LU factors for a static sparse pattern, without pivoting and with a dense tail: chemnet.chemistry.solver.elimination. */
#ifndef CHEMNET_ELIMINATION_H
#define CHEMNET_ELIMINATION_H

#include "reaction_network.h"

/* the dense tail consists of blocks of LANES x LANES */
#define LANES 8

/* of one matrix, and a work row */
typedef struct {
    double *lower, *upper, *wide, *inverse_pivot, *tail, *work;
} lu_factors;

size_t chemnet_factors_size(const elimination_plan *plan);
/* Lays the arrays out from `memory` on, which holds zeros; returns what follows them. */
double *chemnet_factors_at(const elimination_plan *plan, double *memory, lu_factors *factors);
/* Factorises I - C J, C being `c` in the first n rows and 1 in the border's; `values` are the entries of J. */
void chemnet_factorise(const elimination_plan *plan, const double *values, double c, uint32_t n, lu_factors *factors);
/* Solves in place for b (plan->size), in the order of the unknowns. */
void chemnet_solve_factorised(const elimination_plan *plan, lu_factors *factors, double *b);

#endif
