#include "rate_equations.h"

#include <math.h>
#include <string.h>

#define SURFACE_FLOOR 1e-30
#define ELECTRON_LIMIT 1e-14
#define LAYER_TRANSMISSION 0.993
#define THIRD_REACTANT 3

enum { ONE, PER_SURFACE, BULK_EXPOSED, SWAP, BULK_PHOTON, TOP_LAYERS, TOP_LAYERS_SQUARED };

size_t chemnet_equation_scratch(const reaction_network *net) {
    return 2 * (size_t)(net->n + 2) + 2 * (size_t)net->n_reactions + net->further.count / 2;
}

double *chemnet_equation_scratch_at(const reaction_network *net, double *memory, equation_scratch *scratch) {
    scratch->x = memory;
    scratch->dx = memory + net->n + 2;
    scratch->derivative = memory + 2 * (net->n + 2);
    return memory + chemnet_equation_scratch(net);
}

static double total(const double *y, const place_list *members) {
    double sum = 0.0;
    for (uint32_t i = 0; i < members->count; i++) sum += y[members->at[i]];
    return sum > SURFACE_FLOOR ? sum : SURFACE_FLOOR;
}

static void three_phase_factors(const reaction_network *net, const double *k, double surface, double bulk, equation_scratch *s) {
    double(*f)[N_FACTORS] = s->factor;
    f[0][PER_SURFACE] = 1.0 / surface;
    f[1][PER_SURFACE] = -1.0 / (surface * surface);
    const double layers = bulk / net->monolayer > 1.0 ? bulk / net->monolayer : 1.0;
    f[0][BULK_EXPOSED] = 1.0 / layers;
    f[0][BULK_PHOTON] = pow(LAYER_TRANSMISSION, 1.0 + 0.5 * layers);
    if (layers > 1.0) {
        f[2][BULK_EXPOSED] = -net->monolayer / (bulk * bulk);
        f[2][BULK_PHOTON] = f[0][BULK_PHOTON] * log(LAYER_TRANSMISSION) * 0.5 / net->monolayer;
    }
    double swap = 0.0;
    for (uint32_t r = 0; r < net->n_swap; r++) swap += k[r] * s->x[net->reactant[0].at[r]];
    swap *= f[0][BULK_EXPOSED];
    f[0][SWAP] = swap / surface;
    f[1][SWAP] = -swap / (surface * surface);
    f[3][SWAP] = 1.0 / surface;
}

/* Ice of one phase: only its two top layers take part. */
static void two_phase_factors(const reaction_network *net, double surface, equation_scratch *s) {
    double(*f)[N_FACTORS] = s->factor;
    const double top = 2.0 * net->monolayer, all = surface + top;
    f[0][PER_SURFACE] = 1.0 / all;
    f[1][PER_SURFACE] = -1.0 / (all * all);
    f[0][TOP_LAYERS] = top / all;
    f[1][TOP_LAYERS] = -top / (all * all);
    f[0][TOP_LAYERS_SQUARED] = f[0][TOP_LAYERS] * f[0][TOP_LAYERS];
    f[1][TOP_LAYERS_SQUARED] = 2.0 * f[0][TOP_LAYERS] * f[1][TOP_LAYERS];
}

static void set_state(const reaction_network *net, const double *k, const double *y, equation_scratch *s) {
    const uint32_t n = net->n;
    memcpy(s->x, y, n * sizeof(double));
    for (uint32_t i = 0; i < n; i++) s->dx[i] = 1.0;
    s->x[n] = s->x[n + 1] = s->dx[n + 1] = 1.0;
    s->dx[n] = 0.0;
    if (net->electron >= 0) {
        const double electrons = y[net->electron], sum = electrons + ELECTRON_LIMIT;
        s->x[n + 1] = electrons > 0.0 ? electrons / sum : electrons / ELECTRON_LIMIT;
        s->dx[n + 1] = electrons > 0.0 ? ELECTRON_LIMIT / (sum * sum) : 1.0 / ELECTRON_LIMIT;
    }
    memset(s->factor, 0, sizeof s->factor);
    s->factor[0][ONE] = 1.0;
    const double surface = total(y, &net->surface);
    if (net->n_border == 4)
        three_phase_factors(net, k, surface, total(y, &net->bulk), s);
    else
        two_phase_factors(net, surface, s);
}

static void fill_fluxes(const reaction_network *net, const double *restrict k, equation_scratch *s) {
    const uint32_t *a = net->reactant[0].at, *b = net->reactant[1].at, *c = net->reactant[2].at;
    const double *restrict x = s->x;
    double *restrict flux = s->derivative;
    for (uint32_t r = 0; r < net->n_reactions; r++) flux[r] = k[r] * x[a[r]] * x[b[r]];
    for (uint32_t i = 0; i < net->scaled.count; i++) flux[net->scaled.at[i]] *= s->factor[0][net->factor.at[net->scaled.at[i]]];
    for (uint32_t i = 0; i < net->ternary.count; i++) flux[net->ternary.at[i]] *= x[c[net->ternary.at[i]]];
}

static void fill_flux_derivatives(const reaction_network *net, const double *restrict k, equation_scratch *s) {
    const uint32_t m = net->n_reactions, *a = net->reactant[0].at, *b = net->reactant[1].at, *c = net->reactant[2].at;
    const double *restrict x = s->x, *restrict dx = s->dx;
    double *restrict first = s->derivative, *restrict second = s->derivative + m, *restrict further = s->derivative + 2 * m;
    for (uint32_t r = 0; r < m; r++) {
        first[r] = k[r] * dx[a[r]] * x[b[r]];
        second[r] = k[r] * x[a[r]] * dx[b[r]];
    }
    for (uint32_t i = 0; i < net->scaled.count; i++) {
        const uint32_t r = net->scaled.at[i];
        first[r] *= s->factor[0][net->factor.at[r]];
        second[r] *= s->factor[0][net->factor.at[r]];
    }
    for (uint32_t i = 0; i < net->ternary.count; i++) {
        const uint32_t r = net->ternary.at[i];
        first[r] *= x[c[r]];
        second[r] *= x[c[r]];
    }
    for (uint32_t i = 0; i < net->further.count / 2; i++) {
        const uint32_t r = net->further.at[2 * i], slot = net->further.at[2 * i + 1], f = net->factor.at[r];
        const double bare = k[r] * x[a[r]] * x[b[r]];
        further[i] = slot == THIRD_REACTANT ? bare * s->factor[0][f] : bare * x[c[r]] * s->factor[1 + slot][f];
    }
}

static double sum_of(const signed_sum *sums, const double *terms, uint32_t e) {
    const uint32_t *at = sums->terms.at, turn = sums->turn.at[e], end = sums->start.at[e + 1];
    double sum = 0.0;
    for (uint32_t p = sums->start.at[e]; p < turn; p++) sum += terms[at[p]];
    for (uint32_t p = turn; p < end; p++) sum -= terms[at[p]];
    return sum;
}

static void sum_terms(const signed_sum *sums, const double *restrict terms, double *restrict out) {
    const uint32_t copied = sums->n_copied, simple = copied + sums->n_negated, *at = sums->terms.at;
    for (uint32_t e = 0; e < copied; e++) out[e] = terms[at[e]];
    for (uint32_t e = copied; e < simple; e++) out[e] = -terms[at[e]];
    for (uint32_t e = simple; e < sums->n_outputs; e++) out[e] = sum_of(sums, terms, e);
}

/* Moves ice between surface and bulk as the surface as a whole gains or loses (Garrod & Pauly 2011). */
static void shift_layers(const reaction_network *net, const double *y, double *rate) {
    const double gain = rate[net->n + 3], layer_gain = 0.5 / net->monolayer;
    const double surface = total(y, &net->surface), bulk = total(y, &net->bulk), larger = surface > bulk ? surface : bulk;
    for (uint32_t s = 0; s < net->surface.count; s++) {
        const uint32_t top = net->surface.at[s], low = net->under.at[s];
        const double buried = gain >= 0.0 ? gain * layer_gain * y[top] : gain * y[low] / larger;
        rate[top] -= buried;
        rate[low] += buried;
    }
}

/* Adds the derivatives of the layer shift by #i, @i, Y, S and B. */
static void add_layer_shift(const reaction_network *net, const double *y, double gain, double *values) {
    const double surface = total(y, &net->surface), bulk = total(y, &net->bulk), larger = surface > bulk ? surface : bulk;
    const double layer_gain = 0.5 / net->monolayer;
    for (uint32_t s = 0; s < net->surface.count; s++) {
        const double top = y[net->surface.at[s]], low = y[net->under.at[s]];
        double by[5] = {0.0};
        if (gain >= 0.0) {
            by[0] = gain * layer_gain;
            by[2] = layer_gain * top;
        } else {
            by[1] = gain / larger;
            by[2] = low / larger;
            by[surface > bulk ? 3 : 4] = -gain * low / (larger * larger);
        }
        const uint32_t *place = net->shift.at + 10 * s;
        for (int column = 0; column < 5; column++) {
            values[place[column]] -= by[column];
            values[place[column + 5]] += by[column];
        }
    }
}

void chemnet_derivatives(const reaction_network *net, const double *k, const double *y, equation_scratch *scratch, double *rate) {
    set_state(net, k, y, scratch);
    fill_fluxes(net, k, scratch);
    sum_terms(&net->flow, scratch->derivative, rate);
    if (net->n_border == 4) shift_layers(net, y, rate);
}

void chemnet_jacobian(const reaction_network *net, const double *k, const double *y, equation_scratch *scratch, double *values) {
    set_state(net, k, y, scratch);
    fill_flux_derivatives(net, k, scratch);
    sum_terms(&net->assembly, scratch->derivative, values);
    for (uint32_t i = 0; i < net->ones.count; i++) values[net->ones.at[i]] = 1.0;
    if (net->n_border == 4) {
        fill_fluxes(net, k, scratch);
        add_layer_shift(net, y, sum_of(&net->flow, scratch->derivative, net->n + 3), values);
    }
}

void chemnet_production_and_loss(const reaction_network *net, const double *k, const double *y, double below,
                         equation_scratch *scratch, double *production, double *loss) {
    set_state(net, k, y, scratch);
    fill_fluxes(net, k, scratch);
    const signed_sum *sums = &net->flow;
    const double *flux = scratch->derivative;
    for (uint32_t i = 0; i < net->n; i++) {
        if (!(y[i] <= below)) continue;
        double made = 0.0, lost = 0.0;
        for (uint32_t p = sums->start.at[i]; p < sums->turn.at[i]; p++) made += flux[sums->terms.at[p]];
        for (uint32_t p = sums->turn.at[i]; p < sums->start.at[i + 1]; p++) lost += flux[sums->terms.at[p]];
        production[i] = made;
        loss[i] = lost;
    }
}
