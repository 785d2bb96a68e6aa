/* Right-hand side and Jacobian of the rate equations: chemnet.chemistry.equations. Functions are there for one cell and,
 * _abreast, for LANES of them side by side. */
#ifndef CHEMNET_RATE_EQUATIONS_H
#define CHEMNET_RATE_EQUATIONS_H

#include "lanes.h"
#include "reaction_network.h"

/* of one thread, for one cell or for several side by side */
typedef struct {
    double *k;              /* (n_reactions) [s^-1] */
    double *x, *dx;         /* (n + 2): abundances, 1, what limits freezing ions; derivatives of these by abundances */
    double *factor;         /* (4, N_FACTORS): what fluxes are multiplied by, and its derivatives by S, B and T */
    double *terms;          /* (2 n_reactions + further): fluxes, or their derivatives */
    double *shift;          /* (N_SHIFTS): what the shift of layers is proportional to */
    double *rate, *values;  /* (n + 4), (n_entries): right-hand side and Jacobian */
} equation_arrays;

size_t chemnet_equations_size(const reaction_network *net, size_t width);
/* Lays the arrays for `width` cells out from `memory` on; returns what follows them. */
double *chemnet_equations_at(const reaction_network *net, size_t width, double *memory, equation_arrays *eq);

/* Fills eq->rate [s^-1] for the coefficients and abundances that stand in eq. */
void chemnet_derivatives(const reaction_network *net, equation_arrays *eq);
void chemnet_derivatives_abreast(const reaction_network *net, equation_arrays *eq);
/* Fills eq->values, in the order of the pattern; rates must have been filled for the same abundances. */
void chemnet_jacobian(const reaction_network *net, equation_arrays *eq);
void chemnet_jacobian_abreast(const reaction_network *net, equation_arrays *eq);
/* What reactions make and destroy [s^-1] of each species that is no more abundant than `below`; others are left as they are. */
void chemnet_production_and_loss(const reaction_network *net, equation_arrays *eq, double below, double *production, double *loss);

#endif
