/* Abundances moved onto given element totals. */
#ifndef CHEMNET_CONSERVATION_H
#define CHEMNET_CONSERVATION_H

#define MOST_ELEMENTS 32

/* atoms (n_elements, n_species), and behind it the charges of the species where is_neutral: they then sum to 0. Replaces
 * predicted abundances of one cell by corrected ones; 0 where no positive abundances have the totals. scratch: 4 n_species
 * doubles. */
int chemnet_conserve_elements(int n_species, int n_elements, int is_neutral, const double *atoms, const double *totals,
                      double *abundances, double *scratch);
void chemnet_element_totals(int n_species, int n_elements, const double *atoms, const double *abundances, double *totals);

#endif
