#include "implicit_step.h"

#include <math.h>
#include <stdint.h>
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
    const size_t padded = net->n + 4, vectors = (MAX_ORDER + 3) + (MAX_ORDER + 1) + 8, line = CACHE_LINE / sizeof(double);
    const size_t size = chemnet_equations_size(net, LANES) + chemnet_equations_size(net, 1) + chemnet_factors_size(&net->plan, LANES)
                        + chemnet_factors_size(&net->plan, 1) + LANES * (2 * padded + 1) + vectors * padded + line;
    work->memory = calloc(size, sizeof(double));
    if (work->memory == NULL) return CHEMNET_NO_MEMORY;
    /* vectors that begin where cache lines do */
    double *at = (double *)work->memory + (line - (uintptr_t)work->memory / sizeof(double) % line) % line;
    at = chemnet_factors_at(&net->plan, LANES, at, &work->factors_abreast);
    work->duration = at;
    work->start_abreast = work->duration + LANES;
    work->right_abreast = work->start_abreast + LANES * padded;
    at = chemnet_equations_at(net, LANES, work->right_abreast + LANES * padded, &work->abreast);
    at = chemnet_factors_at(&net->plan, 1, at, &work->factors);
    at = chemnet_equations_at(net, 1, at, &work->one);
    double **const all[] = {&work->right, &work->start, &work->x, &work->prediction, &work->history, &work->correction,
                            &work->scale, &work->first};
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

/* Lowers in work->one.x what is at the floor and lost faster than the step: 1e-20 would make a flux of it. */
static void put_into_balance(const reaction_network *net, step_workspace *work, double duration) {
    double *x = work->one.x, *production = work->right, *loss = work->x;
    for (int fill = 0; fill < FILLS; fill++) {
        chemnet_production_and_loss(net, &work->one, NEAR_FLOOR, production, loss);
        for (uint32_t i = 0; i < net->n; i++)
            if (x[i] <= NEAR_FLOOR && loss[i] * duration > FAST * x[i]) {
                const double balance = production[i] * x[i] / loss[i], less = balance < x[i] ? balance : x[i];
                x[i] = less > LEAST ? less : LEAST;
            }
    }
}

/* Fills one cell's coefficients and, in work->one.x, its first iterate: the start y, its floor in balance. */
static void start_of_step(const reaction_network *net, step_workspace *work, const double *y, const double *conditions, double duration) {
    const int is_bare = chemnet_is_bare(net, y);
    const double carbon = net->carbon < 0 ? 0.0 : y[net->carbon];
    chemnet_rate_coefficients(net, conditions, carbon, chemnet_desorption_yield(net, conditions, y), work->one.k);
    /* most of a long step comes after UCLCHEM's second look */
    chemnet_switch_off(net, y, is_bare && duration <= FIRST_CALL, work->one.k);
    memcpy(work->one.x, y, net->n * sizeof(double));
    put_into_balance(net, work, duration);
}

/* Adds a change to every so many numbers of x as far as they stay positive; returns its mean size [dex]. */
static double take(uint32_t n, size_t first, size_t stride, const double *change, double *x) {
    double total = 0.0, product = 1.0;
    for (size_t i = first; i < n * stride; i += stride) {
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

/* Leaves in work->right_abreast what Newton's method adds to each state. */
static void newton_step(const reaction_network *net, step_workspace *work, const int *used) {
    const lanes *start = (const lanes *)work->start_abreast, *x = (const lanes *)work->abreast.x, zero = {0.0};
    const lanes *rate = (const lanes *)work->abreast.rate, duration = *(const lanes *)work->duration;
    lanes *right = (lanes *)work->right_abreast;
    chemnet_derivatives_abreast(net, &work->abreast);
    chemnet_jacobian_abreast(net, &work->abreast);
    chemnet_factorise_abreast(&net->plan, work->abreast.values, work->duration, net->n, used, &work->factors_abreast);
    for (uint32_t i = 0; i < net->n; i++) right[i] = start[i] - x[i] + duration * rate[i];
    for (uint32_t i = net->n; i < net->n + 4; i++) right[i] = zero;
    chemnet_solve_abreast(&net->plan, used, &work->factors_abreast, work->right_abreast);
}

void chemnet_iterate(const reaction_network *net, step_workspace *work, size_t n_cells, const iteration_limits *limits,
             double *states, const double *conditions, const double *durations, iterated *found) {
    const size_t n = net->n;
    size_t waiting = 0, cell_of[LANES] = {0};
    int used[LANES] = {0}, running = 0;
    for (size_t lane = 0; lane < LANES; lane++) work->duration[lane] = 1.0;
    do {
        /* the next cell takes the lane of one that is done, so that cells which need many iterations hold nobody up */
        for (size_t lane = 0; lane < LANES; lane++)
            while (waiting < n_cells && !used[lane]) {
                const size_t cell = waiting++;
                const iterated none = {NO_MEANING, 0, INFINITY};
                found[cell] = none;
                if (!chemnet_has_rates(net, conditions + cell * N_CONDITIONS, durations[cell])) continue;
                start_of_step(net, work, states + cell * n, conditions + cell * N_CONDITIONS, durations[cell]);
                for (size_t r = 0; r < net->n_reactions; r++) work->abreast.k[r * LANES + lane] = work->one.k[r];
                for (size_t i = 0; i < n; i++) {
                    work->abreast.x[i * LANES + lane] = work->one.x[i];
                    work->start_abreast[i * LANES + lane] = states[cell * n + i];
                }
                work->duration[lane] = durations[cell];
                cell_of[lane] = cell;
                used[lane] = 1;
                running++;
            }
        if (running) newton_step(net, work, used);
        for (size_t lane = 0; lane < LANES; lane++) {
            if (!used[lane]) continue;
            iterated *own = &found[cell_of[lane]];
            own->update = take(net->n, lane, LANES, work->right_abreast, work->abreast.x);
            own->iterations++;
            const int is_finite = isfinite(own->update), is_small = own->update <= limits->tolerance;
            if (is_finite && own->iterations < limits->most && (own->iterations < limits->least || !is_small)) continue;
            own->code = !is_finite ? SINGULAR : is_small ? CONVERGED : NOT_CONVERGED;
            for (size_t i = 0; i < n; i++) states[cell_of[lane] * n + i] = work->abreast.x[i * LANES + lane];
            used[lane] = 0;
            running--;
        }
    } while (running || waiting < n_cells);
}

/* ---- growing sub-steps of second order: chemnet.chemistry.solver.implicit_substeps ---- */

#define STAGE 0.29289321881345254 /* 1 - 1 / sqrt(2) */
#define STAGE_ITERATIONS 10
/* mean update [dex] after which a matrix serves once more, unless it is more than SLOW times the one before */
#define KEEP_BELOW 0.1
#define SLOW 0.3
#define LARGEST_CHANGE 0.4 /* mean change [dex] over one sub-step that is still resolved */

static const int used_one[1] = {1};

/* Solves x = history + c f(x) from work->one.x; returns the last update [dex]. */
static double stage(const reaction_network *net, step_workspace *work, double c, double tolerance, int renew) {
    double *right = work->right, *x = work->one.x, last = INFINITY;
    for (int iteration = 0; iteration < STAGE_ITERATIONS; iteration++) {
        chemnet_derivatives(net, &work->one);
        if (renew) {
            chemnet_jacobian(net, &work->one);
            chemnet_factorise(&net->plan, work->one.values, &c, net->n, used_one, &work->factors);
        }
        for (uint32_t i = 0; i < net->n; i++) right[i] = work->history[i] - x[i] + c * work->one.rate[i];
        memset(right + net->n, 0, 4 * sizeof(double));
        chemnet_solve(&net->plan, used_one, &work->factors, right);
        const double update = take(net->n, 0, 1, right, x);
        if (!(update > tolerance)) return update;
        renew = update > KEEP_BELOW || (!renew && update > SLOW * last);
        last = update;
    }
    return last;
}

/* Two implicit stages with one matrix over `h` seconds (Alexander 1977); returns the larger last update. */
static double sub_step(const reaction_network *net, step_workspace *work, double h, double tolerance) {
    double *before = work->first, *history = work->history;
    const double *x = work->one.x;
    memcpy(before, x, net->n * sizeof(double));
    memcpy(history, x, net->n * sizeof(double));
    put_into_balance(net, work, STAGE * h);
    const double update = stage(net, work, STAGE * h, tolerance, 1);
    if (!(update <= tolerance)) return update;
    for (uint32_t i = 0; i < net->n; i++) {
        const double moved = before[i] + (1.0 - STAGE) / STAGE * (x[i] - before[i]);
        history[i] = moved > 0.0 ? moved : 0.0;
    }
    const double second = stage(net, work, STAGE * h, tolerance, 0);
    return second <= update ? update : second;
}

/* Mean change [dex] above the floor of tables. */
static double change(uint32_t n, const double *before, const double *after) {
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        const double a = after[i] > TABLE_FLOOR ? after[i] : TABLE_FLOOR, b = before[i] > TABLE_FLOOR ? before[i] : TABLE_FLOOR;
        sum += fabs(log10(a / b));
    }
    return sum / n;
}

int chemnet_sub_step(const reaction_network *net, step_workspace *work, const double *conditions, double duration,
             const sub_step_plan *plan) {
    start_of_step(net, work, work->start, conditions, duration);
    /* other coefficients hold early on: the solver's business */
    if (chemnet_is_bare(net, work->start)) return 0;
    const double growth = plan->growth, shares = growth == 1.0 ? plan->count : (pow(growth, plan->count) - 1.0) / (growth - 1.0);
    double h = duration / shares;
    for (int i = 0; i < plan->count; i++, h *= growth)
        if (!(sub_step(net, work, h, plan->tolerance) <= plan->tolerance) || change(net->n, work->first, work->one.x) > LARGEST_CHANGE)
            return 0;
    memcpy(work->x, work->one.x, net->n * sizeof(double));
    return 1;
}
