#include "rate_equations.h"

#include <math.h>
#include <string.h>

#define SURFACE_FLOOR 1e-30
#define ELECTRON_LIMIT 1e-14
#define LAYER_TRANSMISSION 0.993
#define THIRD_REACTANT 3

enum { ONE, PER_SURFACE, BULK_EXPOSED, SWAP, BULK_PHOTON, TOP_LAYERS, TOP_LAYERS_SQUARED };
/* what is buried of #i is BY_TOP times it and BY_LOW times @i; the others are slopes of these by the gain, by S and by B */
enum { BY_TOP, BY_LOW, TOP_BY_GAIN, LOW_BY_GAIN, LOW_BY_SURFACE, LOW_BY_BULK, N_SHIFTS };

/* numbers of one cell in the arrays of equation_arrays, and those before `values` */
static size_t n_numbers(const reaction_network *net) {
    return 3 * (size_t)net->n_reactions + net->further.count / 2 + 2 * (size_t)(net->n + 2) + 4 * N_FACTORS + N_SHIFTS + net->n + 4;
}

size_t chemnet_equations_size(const reaction_network *net, size_t width) { return width * (n_numbers(net) + net->n_entries); }

double *chemnet_equations_at(const reaction_network *net, size_t width, double *memory, equation_arrays *eq) {
    eq->k = memory;
    eq->x = eq->k + width * net->n_reactions;
    eq->dx = eq->x + width * (net->n + 2);
    eq->factor = eq->dx + width * (net->n + 2);
    eq->shift = eq->factor + width * 4 * N_FACTORS;
    eq->rate = eq->shift + width * N_SHIFTS;
    eq->terms = eq->rate + width * (net->n + 4);
    eq->values = memory + width * n_numbers(net);
    for (size_t i = 0; i < width * (net->n + 2); i++) eq->x[i] = eq->dx[i] = 1.0;
    return eq->values + width * net->n_entries;
}

static double total(const double *x, size_t width, const place_list *members) {
    double sum = 0.0;
    for (uint32_t i = 0; i < members->count; i++) sum += x[members->at[i] * width];
    return sum > SURFACE_FLOOR ? sum : SURFACE_FLOOR;
}

static void three_phase_factors(const reaction_network *net, double surface, double bulk, double swap, double f[4][N_FACTORS]) {
    f[0][PER_SURFACE] = 1.0 / surface;
    f[1][PER_SURFACE] = -1.0 / (surface * surface);
    const double layers = bulk / net->monolayer > 1.0 ? bulk / net->monolayer : 1.0;
    f[0][BULK_EXPOSED] = 1.0 / layers;
    f[0][BULK_PHOTON] = pow(LAYER_TRANSMISSION, 1.0 + 0.5 * layers);
    if (layers > 1.0) {
        f[2][BULK_EXPOSED] = -net->monolayer / (bulk * bulk);
        f[2][BULK_PHOTON] = f[0][BULK_PHOTON] * log(LAYER_TRANSMISSION) * 0.5 / net->monolayer;
    }
    swap *= f[0][BULK_EXPOSED];
    f[0][SWAP] = swap / surface;
    f[1][SWAP] = -swap / (surface * surface);
    f[3][SWAP] = 1.0 / surface;
}

/* Ice of one phase: only its two top layers take part. */
static void two_phase_factors(const reaction_network *net, double surface, double f[4][N_FACTORS]) {
    const double top = 2.0 * net->monolayer, all = surface + top;
    f[0][PER_SURFACE] = 1.0 / all;
    f[1][PER_SURFACE] = -1.0 / (all * all);
    f[0][TOP_LAYERS] = top / all;
    f[1][TOP_LAYERS] = -top / (all * all);
    f[0][TOP_LAYERS_SQUARED] = f[0][TOP_LAYERS] * f[0][TOP_LAYERS];
    f[1][TOP_LAYERS_SQUARED] = 2.0 * f[0][TOP_LAYERS] * f[1][TOP_LAYERS];
}

#define NUMBER double
#define OF(name) name
#include "rate_equations_template.h"

#define NUMBER lanes
#define OF(name) name##_abreast
#include "rate_equations_template.h"

void chemnet_production_and_loss(const reaction_network *net, equation_arrays *eq, double below, double *production, double *loss) {
    set_state(net, eq, 0);
    fill_fluxes(net, eq);
    const signed_sum *sums = &net->flow;
    for (uint32_t i = 0; i < net->n; i++) {
        if (!(eq->x[i] <= below)) continue;
        double made = 0.0, lost = 0.0;
        for (uint32_t p = sums->start.at[i]; p < sums->turn.at[i]; p++) made += eq->terms[sums->terms.at[p]];
        for (uint32_t p = sums->turn.at[i]; p < sums->start.at[i + 1]; p++) lost += eq->terms[sums->terms.at[p]];
        production[i] = made;
        loss[i] = lost;
    }
}
