/* Right-hand side and Jacobian of the rate equations: chemnet.chemistry.equations. */
#ifndef CHEMNET_RATE_EQUATIONS_H
#define CHEMNET_RATE_EQUATIONS_H

#include "reaction_network.h"

/* of one thread */
typedef struct {
    double *x, *dx;     /* (n + 2): abundances, 1, what limits freezing ions; derivatives of these by abundances */
    double *derivative; /* (2 n_reactions + further): fluxes, or their derivatives */
    double factor[4][N_FACTORS]; /* what fluxes are multiplied by, and its derivatives by S, B and T */
} equation_scratch;

size_t chemnet_equation_scratch(const reaction_network *net);
/* Lays the scratch arrays out from `memory` on; returns what follows them. */
double *chemnet_equation_scratch_at(const reaction_network *net, double *memory, equation_scratch *scratch);

/* rate (n + 4) [s^-1] */
void chemnet_derivatives(const reaction_network *net, const double *k, const double *y, equation_scratch *scratch, double *rate);
/* values (n_entries), in the order of the pattern */
void chemnet_jacobian(const reaction_network *net, const double *k, const double *y, equation_scratch *scratch, double *values);
/* What reactions make and destroy [s^-1] of each species that is no more abundant than `below`; others are left as they are. */
void chemnet_production_and_loss(const reaction_network *net, const double *k, const double *y, double below,
                         equation_scratch *scratch, double *production, double *loss);

#endif
