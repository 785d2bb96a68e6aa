#include "stiff_solver.h"

#include <math.h>
#include <string.h>

#include "rates.h"

#define MOST_STEPS 20000
#define ABUNDANCE_FLOOR 1e-30
#define NEVER 1e300
#define FAILURES_BEFORE_RESTART 4
#define RESTART_FACTOR 100.0 /* times the step that failed last */
#define FIRST_TRIAL 1e-5     /* of the interval */
#define SAFETY 0.9
#define KEEP_BELOW 1.2        /* a step that could grow by less is kept, and with it the factorised matrix */
#define LATE_STEPS 300.0      /* how much more exact a step of the whole interval must be than the first ones */
#define MOST_NEGATIVE 100.0   /* times the absolute tolerance; a step to less is repeated */
#define NEWTON_ITERATIONS 4
#define FULL_ITERATIONS 6
#define NEWTON_TOLERANCE 0.3
#define SLOWEST_CONVERGENCE 0.9
#define ASSUMED_CONVERGENCE 0.3
#define OLDEST_JACOBIAN 10

typedef enum { SUCCESS, TOO_MANY_STEPS, STEP_TOO_SMALL, NOT_FINITE, DRIFTED } outcome;

typedef struct {
    const reaction_network *net;
    step_workspace *work;
    double rtol, atol;
    double coefficient, convergence; /* of the factors */
    int age;                         /* of the Jacobian in steps */
} integration;

static const double kappa[MAX_ORDER + 1] = {0.0, -0.1850, -1.0 / 9.0, -0.0823, -0.0415, 0.0};
static const double gamma_sum[MAX_ORDER + 1] = {0.0, 1.0, 1.5, 11.0 / 6.0, 25.0 / 12.0, 137.0 / 60.0};

static double alpha(int order) { return (1.0 - kappa[order]) * gamma_sum[order]; }
static double error_constant(int order) { return kappa[order] * gamma_sum[order] + 1.0 / (order + 1); }

static double scaled_norm(const integration *run, const double *x) {
    const double *scale = run->work->scale;
    double parts[8] = {0.0}, sum = 0.0;
    const uint32_t n = run->net->n;
    for (uint32_t i = 0; i < n; i++) {
        const double ratio = x[i] / scale[i];
        parts[i % 8] += ratio * ratio;
    }
    for (int k = 0; k < 8; k++) sum += parts[k];
    return sqrt(sum / n);
}

static void set_scale(integration *run, const double *y, double lenience) {
    for (uint32_t i = 0; i < run->net->n; i++) run->work->scale[i] = lenience * (run->atol + run->rtol * fabs(y[i]));
}

/* ---- Newton's method with a matrix that is kept while it serves: chemnet.chemistry.solver.newton ---- */

static const int used[1] = {1};

/* Fills work->one.rate with the right-hand side at y. */
static void evaluate(integration *run, const double *y) {
    memcpy(run->work->one.x, y, run->net->n * sizeof(double));
    chemnet_derivatives(run->net, &run->work->one);
}

static void renew_jacobian(integration *run, const double *y) {
    evaluate(run, y);
    chemnet_jacobian(run->net, &run->work->one);
    run->age = 0;
    run->coefficient = 0.0;
}

static void refactorise(integration *run, double c) {
    chemnet_factorise(&run->net->plan, run->work->one.values, &c, run->net->n, used, &run->work->factors);
    run->coefficient = c;
    run->convergence = ASSUMED_CONVERGENCE;
}

static void begin_newton(integration *run) {
    memcpy(run->work->x, run->work->prediction, run->net->n * sizeof(double));
    memset(run->work->correction, 0, run->net->n * sizeof(double));
}

/* One Newton step; its scaled size. */
static double improve(integration *run, double c) {
    step_workspace *work = run->work;
    const uint32_t n = run->net->n;
    evaluate(run, work->x);
    for (uint32_t i = 0; i < n; i++) work->right[i] = c * work->one.rate[i] - work->history[i] - work->correction[i];
    memset(work->right + n, 0, 4 * sizeof(double));
    chemnet_solve(&run->net->plan, used, &work->factors, work->right);
    for (uint32_t i = 0; i < n; i++) {
        work->x[i] += work->right[i];
        work->correction[i] += work->right[i];
    }
    return scaled_norm(run, work->right);
}

static int iterate_with_one_matrix(integration *run, double c) {
    double last = 0.0;
    begin_newton(run);
    for (int iteration = 0; iteration < NEWTON_ITERATIONS; iteration++) {
        const double size = improve(run, c);
        if (!isfinite(size)) return 0;
        if (iteration > 0) {
            if (size > SLOWEST_CONVERGENCE * last) return 0;
            const double slower = 0.3 * run->convergence, seen = size / last;
            run->convergence = slower > seen ? slower : seen;
        }
        if (size * (run->convergence < 1.0 ? run->convergence : 1.0) < NEWTON_TOLERANCE) return 1;
        last = size;
    }
    return 0;
}

/* With a new Jacobian each time: beyond a kink of the equations that of the near side leads nowhere. */
static int iterate_with_new_jacobians(integration *run, double c) {
    begin_newton(run);
    for (int iteration = 0; iteration < FULL_ITERATIONS; iteration++) {
        renew_jacobian(run, run->work->x);
        refactorise(run, c);
        const double size = improve(run, c);
        if (!isfinite(size)) return 0;
        if (size < NEWTON_TOLERANCE) return 1;
    }
    return 0;
}

/* Solves x = prediction + correction, correction = c f(x) - history; returns convergence. */
static int correct(integration *run, double c) {
    for (;;) {
        if (c != run->coefficient) {
            if (run->age >= OLDEST_JACOBIAN) renew_jacobian(run, run->work->prediction);
            refactorise(run, c);
        }
        if (iterate_with_one_matrix(run, c)) return 1;
        if (run->age == 0) return iterate_with_new_jacobians(run, c);
        renew_jacobian(run, run->work->prediction);
    }
}

/* ---- backward differences: chemnet.chemistry.solver.backward_differences ---- */

static void predict(integration *run, int order) {
    step_workspace *work = run->work;
    const uint32_t n = run->net->n;
    memcpy(work->prediction, work->differences[0], n * sizeof(double));
    memset(work->history, 0, n * sizeof(double));
    for (int j = 1; j <= order; j++) {
        const double weight = gamma_sum[j] / alpha(order);
        for (uint32_t i = 0; i < n; i++) {
            work->prediction[i] += work->differences[j][i];
            work->history[i] += weight * work->differences[j][i];
        }
    }
}

/* Rescales the differences for a step `factor` times as large. */
static void rescale(integration *run, int order, double factor) {
    step_workspace *work = run->work;
    const uint32_t n = run->net->n;
    double scaling[MAX_ORDER + 1][MAX_ORDER + 1] = {{0.0}}, identity[MAX_ORDER + 1][MAX_ORDER + 1] = {{0.0}};
    for (int j = 0; j <= order; j++) scaling[0][j] = identity[0][j] = 1.0;
    for (int i = 1; i <= order; i++)
        for (int j = 1; j <= order; j++) {
            scaling[i][j] = scaling[i - 1][j] * (i - 1 - factor * j) / i;
            identity[i][j] = identity[i - 1][j] * (i - 1 - j) / i;
        }
    for (int j = 1; j <= order; j++) memcpy(work->rescaled[j], work->differences[j], n * sizeof(double));
    for (int i = 1; i <= order; i++) {
        memset(work->differences[i], 0, n * sizeof(double));
        for (int j = 1; j <= order; j++) {
            double weight = 0.0;
            for (int between = 0; between <= order; between++) weight += scaling[j][between] * identity[between][i];
            for (uint32_t s = 0; s < n; s++) work->differences[i][s] += weight * work->rescaled[j][s];
        }
    }
}

static void accept(integration *run, int order) {
    step_workspace *work = run->work;
    const uint32_t n = run->net->n;
    for (uint32_t i = 0; i < n; i++) {
        work->differences[order + 2][i] = work->correction[i] - work->differences[order + 1][i];
        work->differences[order + 1][i] = work->correction[i];
    }
    for (int j = order; j >= 0; j--)
        for (uint32_t i = 0; i < n; i++) work->differences[j][i] += work->differences[j + 1][i];
    for (uint32_t i = 0; i < n; i++)
        if (!(work->differences[0][i] > 0.0)) work->differences[0][i] = 0.0;
}

static double factor_of(double error, int power) { return pow(error > 1e-30 ? error : 1e-30, -1.0 / power); }

/* The order whose error allows the largest next step, and the factor for that step. */
static int best_order(const integration *run, int order, double error, double *factor) {
    double *const *differences = run->work->differences;
    int best = order;
    *factor = factor_of(error, order + 1);
    if (order > 1) {
        const double lower = factor_of(error_constant(order - 1) * scaled_norm(run, differences[order]), order);
        if (lower > *factor) {
            best = order - 1;
            *factor = lower;
        }
    }
    if (order < MAX_ORDER) {
        const double higher = factor_of(error_constant(order + 1) * scaled_norm(run, differences[order + 2]), order + 2);
        if (higher > *factor) {
            best = order + 1;
            *factor = higher;
        }
    }
    return best;
}

/* ---- the integration: chemnet.chemistry.solver.bdf ---- */

/* Scaled size of an error estimate; a state with negative abundances is no solution at all. */
static double error_of(const integration *run, const double *difference) {
    for (uint32_t i = 0; i < run->net->n; i++)
        if (run->work->x[i] < -MOST_NEGATIVE * run->atol) return NEVER;
    return scaled_norm(run, difference);
}

/* Two backward Euler steps that one of twice the length confirms; returns their size [s], 0 where there is none. */
static double start(integration *run, double elapsed, double length) {
    step_workspace *work = run->work;
    const uint32_t n = run->net->n;
    double *y = work->first, *whole = work->differences[1], *half = work->differences[2];
    memcpy(y, work->differences[0], n * sizeof(double));
    renew_jacobian(run, y);
    memset(work->history, 0, n * sizeof(double));
    while (length > 1e-30 && length > 1e-14 * elapsed) {
        int converged = 1;
        run->age = 0;
        set_scale(run, y, 1.0);
        for (int attempt = 0; attempt < 3 && converged; attempt++) { /* the whole, its first half, its second half */
            memcpy(work->prediction, attempt < 2 ? y : half, n * sizeof(double));
            converged = correct(run, attempt == 0 ? length : 0.5 * length);
            if (converged && attempt < 2) memcpy(attempt == 0 ? whole : half, work->x, n * sizeof(double));
        }
        double error = NEVER;
        if (converged) {
            for (uint32_t i = 0; i < n; i++) {
                const double before = fabs(y[i]), after = fabs(work->x[i]);
                work->scale[i] = run->atol + run->rtol * (before > after ? before : after);
                work->right[i] = work->x[i] - whole[i];
            }
            error = error_of(run, work->right);
        }
        if (error <= 1.0) {
            for (uint32_t i = 0; i < n; i++) {
                const double first = half[i], second = work->x[i];
                work->differences[0][i] = second > 0.0 ? second : 0.0;
                work->differences[1][i] = second - first;
                work->differences[2][i] = second - 2.0 * first + y[i];
            }
            run->age = 2;
            return 0.5 * length;
        }
        double shorter = SAFETY / sqrt(error);
        shorter = shorter < 0.05 ? shorter : 0.05;
        length *= shorter > 0.01 ? shorter : 0.01;
    }
    return 0.0;
}

/* Advances work->differences[0] by `duration`. */
static outcome advance(integration *run, double duration) {
    step_workspace *work = run->work;
    double elapsed = 0.0, step = FIRST_TRIAL / RESTART_FACTOR * duration;
    int order = 1, equal_steps = 0, failures = FAILURES_BEFORE_RESTART;
    for (int count = 0; count < MOST_STEPS; count++) {
        if (failures >= FAILURES_BEFORE_RESTART) {
            const double trial = RESTART_FACTOR * step, left = duration - elapsed;
            step = start(run, elapsed, trial < left ? trial : left);
            elapsed += 2.0 * step;
            order = 1;
            equal_steps = 2;
            failures = 0;
        }
        if (elapsed >= duration * (1.0 - 1e-12)) return SUCCESS;
        if (step < 1e-14 * elapsed || step == 0.0) return STEP_TOO_SMALL;
        if (elapsed + step > duration * (1.0 + 1e-12)) {
            rescale(run, order, (duration - elapsed) / step);
            step = duration - elapsed;
            equal_steps = 0;
        }
        predict(run, order);
        const double lenience = 1.0 / (1.0 + LATE_STEPS * step / duration);
        set_scale(run, work->prediction, lenience);
        double factor = 0.25, error = NEVER;
        if (correct(run, step / alpha(order))) {
            set_scale(run, work->x, lenience);
            error = error_constant(order) * error_of(run, work->correction);
            if (error > 1.0) {
                factor = SAFETY * pow(error, -1.0 / (order + 1));
                factor = factor > 0.2 ? factor : 0.2;
            }
        }
        if (!(error <= 1.0)) {
            rescale(run, order, factor);
            step *= factor;
            equal_steps = 0;
            failures++;
            continue;
        }
        elapsed += step;
        equal_steps++;
        failures = 0;
        accept(run, order);
        run->age++;
        if (equal_steps > order) {
            const int best = best_order(run, order, error, &factor);
            factor *= SAFETY;
            if (best != order || factor > KEEP_BELOW || factor < SAFETY) {
                order = best;
                factor = factor < 10.0 ? factor : 10.0;
                rescale(run, order, factor);
                step *= factor;
                equal_steps = 0;
            }
        }
    }
    return TOO_MANY_STEPS;
}

/* ---- totals: chemnet.chemistry.solver.totals ---- */

static double worst_drift(uint32_t n, uint32_t n_totals, const double *totals, const double *before, const double *after) {
    double worst = 0.0;
    for (uint32_t t = 0; t < n_totals; t++) {
        double change = 0.0, amount = 1e-15;
        for (uint32_t i = 0; i < n; i++) {
            change += (after[i] - before[i]) * totals[i * n_totals + t];
            amount += before[i] * fabs(totals[i * n_totals + t]);
        }
        const double drift = fabs(change) / amount;
        worst = drift > worst ? drift : worst;
    }
    return worst;
}

/* Solves in place with a positive semi-definite matrix; unknowns that are not determined become 0. */
static void solve_totals(uint32_t size, double system[MOST_TOTALS][MOST_TOTALS], double *right) {
    double scale[MOST_TOTALS];
    for (uint32_t t = 0; t < size; t++) scale[t] = system[t][t] > 1e-20 ? 1.0 / sqrt(system[t][t]) : 0.0;
    for (uint32_t t = 0; t < size; t++) {
        right[t] *= scale[t];
        for (uint32_t u = 0; u < size; u++) system[t][u] *= scale[t] * scale[u];
    }
    for (uint32_t t = 0; t < size; t++) {
        if (system[t][t] < 1e-12) {
            right[t] = 0.0;
            continue;
        }
        for (uint32_t u = t + 1; u < size; u++) {
            const double multiplier = system[u][t] / system[t][t];
            right[u] -= multiplier * right[t];
            for (uint32_t v = t; v < size; v++) system[u][v] -= multiplier * system[t][v];
        }
    }
    for (uint32_t t = size; t-- > 0;)
        if (system[t][t] >= 1e-12) {
            for (uint32_t u = t + 1; u < size; u++) right[t] -= system[t][u] * right[u];
            right[t] /= system[t][t];
        }
    for (uint32_t t = 0; t < size; t++) right[t] *= scale[t];
}

/* Scales `after` by 1 + totals x multipliers, the least change that brings back all totals. */
static void restore_totals(const reaction_network *net, const double *before, double *after) {
    const uint32_t n = net->n, size = net->n_invariants;
    const double *totals = net->invariants;
    double system[MOST_TOTALS][MOST_TOTALS] = {{0.0}}, right[MOST_TOTALS] = {0.0};
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t t = 0; t < size; t++) {
            right[t] += (before[i] - after[i]) * totals[i * size + t];
            for (uint32_t u = 0; u < size; u++) system[t][u] += totals[i * size + t] * totals[i * size + u] * after[i];
        }
    solve_totals(size, system, right);
    for (uint32_t i = 0; i < n; i++) {
        double share = 1.0;
        for (uint32_t t = 0; t < size; t++) share += totals[i * size + t] * right[t];
        after[i] *= share;
    }
}

static outcome settle(const reaction_network *net, const double *before, double *after) {
    for (uint32_t i = 0; i < net->n; i++) {
        if (!isfinite(after[i])) return NOT_FINITE;
        after[i] = after[i] > ABUNDANCE_FLOOR ? after[i] : ABUNDANCE_FLOOR;
    }
    if (worst_drift(net->n, net->n_watched, net->watched, before, after) > 1e-3
        || worst_drift(net->n, net->n_invariants, net->invariants, before, after) > 1e-8)
        return DRIFTED;
    restore_totals(net, before, after);
    return SUCCESS;
}

/* ---- one step, repeated at other tolerances where it fails: chemnet.chemistry.solver.along_tracer ---- */

#define N_FACTORS_TRIED 5
typedef struct {
    double left[N_FACTORS_TRIED];
    int count;
} tolerance_factors;

/* A looser one first where steps were too many. */
static double next_factor(tolerance_factors *factors, outcome last) {
    int chosen = 0;
    for (int i = 1; last == TOO_MANY_STEPS && i < factors->count; i++)
        if (factors->left[i] > factors->left[chosen]) chosen = i;
    const double factor = factors->left[chosen];
    factors->count--;
    memmove(factors->left + chosen, factors->left + chosen + 1, (size_t)(factors->count - chosen) * sizeof(double));
    return factor;
}

static int integrate_call(const reaction_network *net, step_workspace *work, const double *conditions, double cr_yield,
                          double duration, double rtol, double atol, double *tried_first) {
    static const double all[N_FACTORS_TRIED] = {1.0, 0.1, 0.01, 10.0, 0.001};
    tolerance_factors factors = {{*tried_first}, 1};
    for (int i = 0; i < N_FACTORS_TRIED; i++)
        if (all[i] != *tried_first) factors.left[factors.count++] = all[i];
    const double carbon = net->carbon < 0 ? 0.0 : work->start[net->carbon];
    outcome code = SUCCESS;
    while (factors.count > 0) {
        const double factor = next_factor(&factors, code);
        integration run = {net, work, rtol * factor, atol, 0.0, 0.0, 0};
        chemnet_rate_coefficients(net, conditions, carbon, cr_yield, work->one.k);
        chemnet_switch_off(net, work->start, chemnet_is_bare(net, work->start), work->one.k);
        for (int j = 1; j < MAX_ORDER + 3; j++) memset(work->differences[j], 0, net->n * sizeof(double));
        memcpy(work->differences[0], work->start, net->n * sizeof(double));
        code = advance(&run, duration);
        memcpy(work->x, work->differences[0], net->n * sizeof(double));
        if (code == SUCCESS) code = settle(net, work->start, work->x);
        if (code == SUCCESS) {
            *tried_first = factor;
            return 1;
        }
    }
    return 0;
}

int chemnet_integrate(const reaction_network *net, step_workspace *work, const double *conditions, double duration, double rtol,
              double atol) {
    double tried_first = 1.0;
    if (!chemnet_is_bare(net, work->start) || duration <= FIRST_CALL)
        return integrate_call(net, work, conditions, CR_YIELD, duration, rtol, atol, &tried_first);
    if (!integrate_call(net, work, conditions, CR_YIELD, FIRST_CALL, rtol, atol, &tried_first)) return 0;
    memcpy(work->start, work->x, net->n * sizeof(double));
    const double cr_yield = chemnet_desorption_yield(net, conditions, work->start);
    return integrate_call(net, work, conditions, cr_yield, duration - FIRST_CALL, rtol, atol, &tried_first);
}
