/* Rate coefficients of all reactions; formulae and sources: chemnet.chemistry.rates. */
#ifndef CHEMNET_RATES_H
#define CHEMNET_RATES_H

#include "reaction_network.h"

/* molecules desorbed per cosmic-ray hit, where UCLCHEM stores nothing over it */
#define CR_YIELD 1e5
/* from bare grains UCLCHEM looks at its switches once more after so many seconds */
#define FIRST_CALL 1e7

/* Fills k (n_reactions) [s^-1], powers of the density folded in. `c_abundance` shields the ionisation of C. */
void chemnet_rate_coefficients(const reaction_network *net, const double *conditions, double c_abundance, double cr_yield,
                       double *k);

/* ---- what UCLCHEM does between two rows: chemnet.chemistry.solver.quirks ---- */

/* Whether the quirks are on and grains carry next to no ice. */
int chemnet_is_bare(const reaction_network *net, const double *y);
/* Stops freeze-out that evaporation outruns, and evaporation from bare grains. */
void chemnet_switch_off(const reaction_network *net, const double *y, int is_bare, double *k);
double chemnet_desorption_yield(const reaction_network *net, const double *conditions_before, const double *y);

#endif
