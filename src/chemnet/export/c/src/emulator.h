/* What advances the latents of cells by one time step. */
#ifndef CHEMNET_EMULATOR_H
#define CHEMNET_EMULATOR_H

#include "perceptron.h"

/* an implicit one has its networks in implicit_emulator.h */
typedef enum { RESIDUAL = 0, RELAXATION = 1, RECURRENT = 2, IMPLICIT = 3 } emulator_kind;

typedef struct {
    emulator_kind kind;
    int n_latents, n_memory, n_terms, n_physical;
    double usual_dt;                      /* 0 where the network is not shown any */
    const float *terms;                   /* (n_terms, 8) */
    const float *limits;                  /* (n_physical, 2) of log10 */
    const float *low, *high, *centre, *width; /* (n_latents) each */
    perceptron change;                    /* of a recurrent one: its head */
    perceptron look, new_products, old_products, first_memory;
} emulator;

int chemnet_emulator_read(const bundle_file *file, int member, int n_physical, emulator *net);
void chemnet_emulator_free(emulator *net);
size_t chemnet_emulator_scratch(const emulator *net, size_t n_cells);
/* Features (n_terms) of one cell's physical parameters, as chemnet.models.emulators.physical_features has them. */
void chemnet_emulator_features(const emulator *net, const double *physical, float *features);
/* Advances standardised latents (n_cells, n_latents) and memory (n_cells, n_memory) in place. */
void chemnet_emulator_step(const emulator *net, size_t n_cells, const double *physical, const double *dt, float *latents,
                   float *memory, float *scratch);
/* Fills the memory of cells with standardised latents. */
void chemnet_emulator_first_memory(const emulator *net, size_t n_cells, const float *latents, float *memory, float *scratch);

#endif
