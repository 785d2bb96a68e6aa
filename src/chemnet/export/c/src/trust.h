/* What error is expected of a state, from what can be seen of it; see chemnet.surrogate.trust. */
#ifndef CHEMNET_TRUST_H
#define CHEMNET_TRUST_H

#include "perceptron.h"

typedef struct {
    int is_calibrated, uses_distance, n_indicators, n_knots, n_places, n_coordinates, n_physical;
    const int64_t *kinds;                 /* (n_indicators): one of indicator_kind, or FIRST_PARAMETER + p, or an own sign */
    const double *weights, *knots, *errors;
    const float *centre, *spread;         /* (n_coordinates) of what the distance is measured in */
    linear_layer places;                  /* known states, as a matrix (n_coordinates, n_places) */
    float *squares;                       /* (n_places): their squared lengths */
} trust_model;

typedef enum { DISTANCE = 0, IMBALANCE = 1, START_ERROR = 2, AGE = 3, SPREAD = 4, FIRST_PARAMETER = 5 } indicator_kind;

typedef struct {
    double distance, imbalance, start_error, age, spread;
    const double *scaled_physical;
    const double *own; /* signs that an emulator shows itself; their kinds follow those of the parameters */
} error_signs;

int chemnet_trust_read(const bundle_file *file, int n_coordinates, int n_physical, int n_members, int n_own, trust_model *trust);
void chemnet_trust_free(trust_model *trust);
size_t chemnet_trust_scratch(const trust_model *trust, size_t n_cells);
/* Root mean square distance of latents (n_cells, n_latents) and scaled parameters to the nearest known state. */
void chemnet_trust_distances(const trust_model *trust, size_t n_cells, const float *latents, size_t n_latents,
                     const double *scaled_physical, size_t n_physical, size_t physical_stride, double *distances,
                     float *scratch);
double chemnet_trust_expected_error(const trust_model *trust, const error_signs *signs);

#endif
