#include "implicit_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"
#include "rates.h"

/* what tables of abundances end at, and changes below which do not count */
#define TABLE_FLOOR 1e-20
#define NEAR_FLOOR 3.1622776601683795e-19 /* 10^-18.5 */
/* times its abundance lost over the step: a species in balance */
#define FAST 10.0
#define FILLS 2
#define LEAST 1e-36
#define LARGE 1e250
/* of its abundance that an update leaves a species */
#define SMALLEST_SHARE 0.05

int chemnet_step_workspace_new(const reaction_network *net, step_workspace *work) {
    const size_t n = net->n, padded = n + 4, vectors = (MAX_ORDER + 3) + (MAX_ORDER + 1) + 9;
    const size_t size = chemnet_equation_scratch(net) + chemnet_factors_size(&net->plan) + net->n_reactions + net->n_entries
                        + vectors * padded;
    double *at = work->memory = calloc(size, sizeof(double));
    if (at == NULL) return CHEMNET_NO_MEMORY;
    at = chemnet_factors_at(&net->plan, at, &work->factors);
    at = chemnet_equation_scratch_at(net, at, &work->equations);
    work->k = at;
    work->values = at + net->n_reactions;
    at = work->values + net->n_entries;
    double **const all[] = {&work->right, &work->start, &work->x, &work->prediction, &work->history, &work->correction,
                            &work->scale, &work->rate, &work->first};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++, at += padded) *all[i] = at;
    for (int j = 0; j < MAX_ORDER + 3; j++, at += padded) work->differences[j] = at;
    for (int j = 0; j < MAX_ORDER + 1; j++, at += padded) work->rescaled[j] = at;
    return CHEMNET_OK;
}

void chemnet_step_workspace_free(step_workspace *work) {
    free(work->memory);
    work->memory = NULL;
}

int chemnet_has_rates(const reaction_network *net, const double *conditions, double duration) {
    for (int c = 0; c < COLUMN_NUCLEI; c++)
        if (!(conditions[c] >= 0.0 && conditions[c] < INFINITY)) return 0;
    const double t_gas = conditions[GAS_TEMPERATURE];
    return conditions[DENSITY] > 0.0 && t_gas >= net->lowest && t_gas <= net->highest && t_gas > 0.0
           && conditions[DUST_TEMPERATURE] > 0.0 && duration > 0.0 && duration < INFINITY;
}

/* Fills a cell's coefficients and the first iterate: the start, its floor in balance. */
static void start_of_step(const reaction_network *net, step_workspace *work, const double *conditions, double duration) {
    const double *y = work->start;
    double *x = work->x, *production = work->right, *loss = work->rate;
    const int is_bare = chemnet_is_bare(net, y);
    const double carbon = net->carbon < 0 ? 0.0 : y[net->carbon];
    chemnet_rate_coefficients(net, conditions, carbon, chemnet_desorption_yield(net, conditions, y), work->k);
    /* most of a long step comes after UCLCHEM's second look */
    chemnet_switch_off(net, y, is_bare && duration <= FIRST_CALL, work->k);
    memcpy(x, y, net->n * sizeof(double));
    for (int fill = 0; fill < FILLS; fill++) {
        chemnet_production_and_loss(net, work->k, x, NEAR_FLOOR, &work->equations, production, loss);
        for (uint32_t i = 0; i < net->n; i++)
            if (x[i] <= NEAR_FLOOR && loss[i] * duration > FAST * x[i]) {
                const double balance = production[i] * x[i] / loss[i], less = balance < x[i] ? balance : x[i];
                x[i] = less > LEAST ? less : LEAST;
            }
    }
}

/* Adds a change to x as far as it stays positive; returns its mean size [dex]. */
static double take(uint32_t n, const double *change, double *x) {
    double total = 0.0, product = 1.0;
    for (uint32_t i = 0; i < n; i++) {
        double old = x[i], new = old + change[i];
        if (!isfinite(new)) return NAN;
        const double least = old <= TABLE_FLOOR ? LEAST : SMALLEST_SHARE * old;
        new = new > least ? new : least;
        x[i] = new;
        new = new > TABLE_FLOOR ? new : TABLE_FLOOR;
        old = old > TABLE_FLOOR ? old : TABLE_FLOOR;
        product *= new > old ? new / old : old / new;
        if (product > LARGE) { /* one logarithm for many ratios */
            total += log10(product);
            product = 1.0;
        }
    }
    return (total + log10(product)) / n;
}

iterated chemnet_iterate(const reaction_network *net, step_workspace *work, const double *conditions, double duration,
                 const iteration_limits *limits) {
    iterated found = {NOT_CONVERGED, 0, INFINITY};
    double *right = work->right;
    start_of_step(net, work, conditions, duration);
    while (found.iterations < limits->most && (found.iterations < limits->least || found.update > limits->tolerance)) {
        if (found.update > 0.0) {
            chemnet_jacobian(net, work->k, work->x, &work->equations, work->values);
            chemnet_factorise(&net->plan, work->values, duration, net->n, &work->factors);
        }
        chemnet_derivatives(net, work->k, work->x, &work->equations, right);
        for (uint32_t i = 0; i < net->n; i++) right[i] = work->start[i] - work->x[i] + duration * right[i];
        memset(right + net->n, 0, 4 * sizeof(double));
        chemnet_solve_factorised(&net->plan, &work->factors, right);
        found.update = take(net->n, right, work->x);
        found.iterations++;
        if (!isfinite(found.update)) {
            found.code = SINGULAR;
            return found;
        }
    }
    if (found.update <= limits->tolerance) found.code = CONVERGED;
    return found;
}
