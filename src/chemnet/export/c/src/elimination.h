/* LU factors for a static sparse pattern, without pivoting and with a dense tail: chemnet.chemistry.solver.elimination.
 * Functions are there for one matrix and, _abreast, for LANES of them side by side. */
#ifndef CHEMNET_ELIMINATION_H
#define CHEMNET_ELIMINATION_H

#include "lanes.h"
#include "reaction_network.h"

/* of matrices side by side, and a work row; each tail is a matrix of its own, of blocks of 8 x 8 */
typedef struct {
    double *lower, *upper, *inverse_pivot, *work, *tails, *tail_pivots, *tail_work;
} lu_factors;

size_t chemnet_factors_size(const elimination_plan *plan, size_t width);
/* Lays the arrays for `width` matrices out from `memory` on, which holds zeros; returns what follows them. */
double *chemnet_factors_at(const elimination_plan *plan, size_t width, double *memory, lu_factors *factors);
/* Factorises I - C J, C being `c` in the first n rows and 1 in the border's; `values` are the entries of J. Of lanes that
 * are not used the factors stay unfinished. */
void chemnet_factorise(const elimination_plan *plan, const double *values, const double *c, uint32_t n, const int *used,
                       lu_factors *factors);
void chemnet_factorise_abreast(const elimination_plan *plan, const double *values, const double *c, uint32_t n, const int *used,
                               lu_factors *factors);
/* Solves in place for b (plan->size), in the order of the unknowns. */
void chemnet_solve(const elimination_plan *plan, const int *used, lu_factors *factors, double *b);
void chemnet_solve_abreast(const elimination_plan *plan, const int *used, lu_factors *factors, double *b);

#endif
