#include "trust.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"

/* indicators are at least this, so that their logarithms are finite */
#define SMALLEST_INDICATOR 1e-4

static int is_sound(const trust_model *trust, int n_physical, int n_members, int n_own) {
    for (int k = 0; k < trust->n_indicators; k++) {
        const int64_t kind = trust->kinds[k];
        if (kind < 0 || kind >= FIRST_PARAMETER + n_physical + n_own || (kind == SPREAD && n_members < 2)) return 0;
    }
    for (int q = 1; q < trust->n_knots; q++)
        if (!(trust->knots[q] >= trust->knots[q - 1])) return 0;
    return trust->n_knots >= 2 && trust->n_places >= 1;
}

static int read_places(const bundle_array *places, trust_model *trust) {
    const float *rows = places->values;
    const int n = trust->n_places, c = trust->n_coordinates;
    float *turned = malloc((size_t)n * (size_t)c * sizeof(float));
    trust->squares = malloc((size_t)n * sizeof(float));
    if (turned == NULL || trust->squares == NULL) {
        free(turned);
        return CHEMNET_NO_MEMORY;
    }
    for (int i = 0; i < n; i++) {
        double sum = 0.0;
        for (int j = 0; j < c; j++) {
            turned[(size_t)j * n + i] = rows[(size_t)i * c + j];
            sum += (double)rows[(size_t)i * c + j] * rows[(size_t)i * c + j];
        }
        trust->squares[i] = (float)sum;
    }
    const int code = chemnet_layer_new(&trust->places, c, n, 0, turned, NULL);
    free(turned);
    return code;
}

int chemnet_trust_read(const bundle_file *file, int n_coordinates, int n_physical, int n_members, int n_own, trust_model *trust) {
    bundle_array kinds, weights, knots, errors, places, centre, spread;
    memset(trust, 0, sizeof *trust);
    if (!chemnet_bundle_find(file, "trust.kinds", INTEGERS, &kinds)) return CHEMNET_OK;
    if (!chemnet_bundle_find(file, "trust.weights", DOUBLES, &weights) || !chemnet_bundle_find(file, "trust.knots", DOUBLES, &knots)
        || !chemnet_bundle_find(file, "trust.errors", DOUBLES, &errors) || !chemnet_bundle_find(file, "trust.places", FLOATS, &places)
        || !chemnet_bundle_find(file, "trust.centre", FLOATS, &centre) || !chemnet_bundle_find(file, "trust.spread", FLOATS, &spread))
        return CHEMNET_DAMAGED;
    if (kinds.count != weights.count || knots.count != errors.count || knots.count > 65536 || kinds.count > 4096
        || places.shape[0] > 1048576 || places.shape[1] != (uint64_t)n_coordinates
        || centre.count != (size_t)n_coordinates || spread.count != (size_t)n_coordinates)
        return CHEMNET_DAMAGED;
    trust->n_indicators = (int)kinds.count;
    trust->n_knots = (int)knots.count;
    trust->n_places = (int)places.shape[0];
    trust->n_coordinates = n_coordinates;
    trust->kinds = kinds.values;
    trust->weights = weights.values;
    trust->knots = knots.values;
    trust->errors = errors.values;
    trust->centre = centre.values;
    trust->spread = spread.values;
    if (!is_sound(trust, n_physical, n_members, n_own)) return CHEMNET_DAMAGED;
    trust->n_physical = n_physical;
    for (int k = 0; k < trust->n_indicators; k++)
        trust->uses_distance |= trust->kinds[k] == DISTANCE && trust->weights[k] != 0.0;
    const int code = read_places(&places, trust);
    trust->is_calibrated = code == CHEMNET_OK;
    return code;
}

void chemnet_trust_free(trust_model *trust) {
    free(trust->places.matrix);
    free(trust->places.bias);
    free(trust->squares);
    memset(trust, 0, sizeof *trust);
}

size_t chemnet_trust_scratch(const trust_model *trust, size_t n_cells) {
    return trust->is_calibrated ? n_cells * (size_t)(trust->n_coordinates + trust->places.width) : 0;
}

/* |a - b|^2 = |a|^2 - 2 a.b + |b|^2 orders the known states; the nearest one is then measured exactly */
void chemnet_trust_distances(const trust_model *trust, size_t n_cells, const float *latents, size_t n_latents,
                     const double *scaled_physical, size_t n_physical, size_t physical_stride, double *distances,
                     float *scratch) {
    const size_t c = (size_t)trust->n_coordinates, width = (size_t)trust->places.width;
    float *here = scratch, *products = scratch + n_cells * c;
    for (size_t cell = 0; cell < n_cells; cell++) {
        float *place = here + cell * c;
        for (size_t j = 0; j < n_latents; j++)
            place[j] = (latents[cell * n_latents + j] - trust->centre[j]) / trust->spread[j];
        for (size_t p = 0; p < n_physical; p++) {
            const size_t j = n_latents + p;
            place[j] = ((float)scaled_physical[cell * physical_stride + p] - trust->centre[j]) / trust->spread[j];
        }
    }
    chemnet_multiply(&trust->places, n_cells, here, c, products);
    for (size_t cell = 0; cell < n_cells; cell++) {
        const float *product = products + cell * width, *place = here + cell * c;
        double square = 0.0, least = INFINITY;
        for (size_t j = 0; j < c; j++) square += (double)place[j] * place[j];
        for (int i = 0; i < trust->n_places; i++) {
            const double found = square - 2.0 * product[i] + trust->squares[i];
            least = found < least ? found : least;
        }
        distances[cell] = sqrt((least > 0.0 ? least : 0.0) / (double)c);
    }
}

static double seen(const error_signs *signs, int n_physical, int64_t kind) {
    switch (kind) {
    case DISTANCE: return signs->distance;
    case IMBALANCE: return signs->imbalance;
    case START_ERROR: return signs->start_error;
    case AGE: return signs->age;
    case SPREAD: return signs->spread;
    default: break;
    }
    const int64_t place = kind - FIRST_PARAMETER;
    return place < n_physical ? exp(signs->scaled_physical[place]) : signs->own[place - n_physical];
}

double chemnet_trust_expected_error(const trust_model *trust, const error_signs *signs) {
    double warning = 0.0;
    for (int k = 0; k < trust->n_indicators; k++) {
        const double indicator = seen(signs, trust->n_physical, trust->kinds[k]);
        warning += trust->weights[k] * log(indicator > SMALLEST_INDICATOR ? indicator : SMALLEST_INDICATOR);
    }
    const int last = trust->n_knots - 1;
    int right = 1;
    while (right < last && trust->knots[right] < warning) right++;
    const double low = trust->knots[right - 1], gap = trust->knots[right] - low;
    double share = (warning - low) / (gap > 1e-12 ? gap : 1e-12);
    share = share < 0.0 ? 0.0 : share > 1.0 ? 1.0 : share;
    const double error = trust->errors[right - 1] + share * (trust->errors[right] - trust->errors[right - 1]);
    const double beyond = warning - trust->knots[last];
    return error * exp(beyond > 0.0 ? beyond : 0.0);
}
