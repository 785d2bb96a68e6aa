/* x' = x exp(w sum_e A_e lambda_e), one multiplier lambda per element, w = sqrt(x / m) with m the largest abundance that
 * the totals allow: see chemnet.surrogate.wrappers.conservation. Newton's method for the multipliers, which minimise a
 * convex function; each step is halved until it brings residual or function down. Cells that do not end so are solved
 * with w = 1, the projection of least relative entropy. Where charges balance they are one more row of total 0, measured by
 * the charge of the ions, which is also the m of electrons. */
#include "conservation.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "elementary.h"

#define TOLERANCE 1e-10
#define SMALLEST_WEIGHT 1e-12
#define WEIGHTED_STEPS 30
#define EQUAL_STEPS 60
#define MOST_HALVINGS 20
#define LARGEST_EXPONENT_STEP 8.0
#define RIDGE 1e-13

typedef struct {
    int n_species, n_elements; /* with the charge */
    const double *atoms, *start, *weight;
    double *moved, *pull;
    double totals[MOST_ELEMENTS], size[MOST_ELEMENTS]; /* what is wanted, and what its residual is measured by */
    double multipliers[MOST_ELEMENTS], residual[MOST_ELEMENTS];
} cell_state;

/* A sum in LANES parts, which compilers turn into vector instructions without being allowed to reorder sums. */
#define LANES 16

static double dot(const double *restrict a, const double *restrict b, int n) {
    double parts[LANES] = {0.0}, sum = 0.0;
    int s = 0;
    for (; s + LANES <= n; s += LANES)
        for (int k = 0; k < LANES; k++) parts[k] += a[s + k] * b[s + k];
    for (; s < n; s++) sum += a[s] * b[s];
    for (int k = 0; k < LANES; k++) sum += parts[k];
    return sum;
}

void chemnet_element_totals(int n_species, int n_elements, const double *atoms, const double *abundances, double *totals) {
    for (int e = 0; e < n_elements; e++) totals[e] = dot(atoms + (long)e * n_species, abundances, n_species);
}

static void add_pulls(cell_state *cell, const double *multipliers) {
    memset(cell->pull, 0, (size_t)cell->n_species * sizeof(double));
    for (int e = 0; e < cell->n_elements; e++) {
        const double *row = cell->atoms + (long)e * cell->n_species, factor = multipliers[e];
        for (int s = 0; s < cell->n_species; s++) cell->pull[s] += factor * row[s];
    }
}

/* Sets moved abundances and residuals of some multipliers; returns the squared relative residual. */
static double apply(cell_state *cell, const double *multipliers) {
    add_pulls(cell, multipliers);
    for (int s = 0; s < cell->n_species; s++) cell->moved[s] = cell->start[s] * fast_exp(cell->weight[s] * cell->pull[s]);
    chemnet_element_totals(cell->n_species, cell->n_elements, cell->atoms, cell->moved, cell->residual);
    double distance = 0.0;
    for (int e = 0; e < cell->n_elements; e++) {
        cell->residual[e] -= cell->totals[e];
        const double relative = cell->residual[e] / (cell->size[e] > 0.0 ? cell->size[e] : 1.0);
        distance += relative * relative;
    }
    return distance;
}

static double objective(const cell_state *cell, const double *multipliers) {
    double sum = 0.0;
    for (int s = 0; s < cell->n_species; s++) sum += cell->moved[s] / cell->weight[s];
    for (int e = 0; e < cell->n_elements; e++) sum -= cell->totals[e] * multipliers[e];
    return sum;
}

static int is_done(const cell_state *cell) {
    for (int e = 0; e < cell->n_elements; e++)
        if (!(fabs(cell->residual[e]) <= TOLERANCE * cell->size[e])) return 0;
    return 1;
}

/* Solves the Newton equations, rows and columns scaled by the root of their sizes, by Cholesky's method. */
static void newton_step(const cell_state *cell, double *step) {
    const int n = cell->n_elements;
    double matrix[MOST_ELEMENTS][MOST_ELEMENTS], scale[MOST_ELEMENTS];
    double *slope = cell->pull; /* used up */
    for (int e = 0; e < n; e++) scale[e] = 1.0 / sqrt(cell->size[e] > 0.0 ? cell->size[e] : 1.0);
    for (int e = 0; e < n; e++) {
        const double *a = cell->atoms + (long)e * cell->n_species;
        for (int s = 0; s < cell->n_species; s++) slope[s] = cell->moved[s] * cell->weight[s] * a[s];
        for (int f = 0; f <= e; f++)
            matrix[e][f] = dot(slope, cell->atoms + (long)f * cell->n_species, cell->n_species) * scale[e] * scale[f];
    }
    for (int e = 0; e < n; e++) {
        matrix[e][e] += matrix[e][e] > 0.0 ? RIDGE * matrix[e][e] : 1.0;
        for (int f = 0; f <= e; f++) {
            double sum = matrix[e][f];
            for (int k = 0; k < f; k++) sum -= matrix[e][k] * matrix[f][k];
            if (e == f)
                matrix[e][e] = sum > 0.0 ? sqrt(sum) : DBL_EPSILON;
            else
                matrix[e][f] = sum / matrix[f][f];
        }
    }
    for (int e = 0; e < n; e++) {
        double sum = -cell->residual[e] * scale[e];
        for (int k = 0; k < e; k++) sum -= matrix[e][k] * step[k];
        step[e] = sum / matrix[e][e];
    }
    for (int e = n - 1; e >= 0; e--) {
        double sum = step[e];
        for (int k = e + 1; k < n; k++) sum -= matrix[k][e] * step[k];
        step[e] = sum / matrix[e][e];
    }
    for (int e = 0; e < n; e++) step[e] *= scale[e];
}

/* Shortens a step so that no species changes by more than the largest exponent step. */
static void limit(cell_state *cell, double *step) {
    double largest = 0.0;
    add_pulls(cell, step);
    for (int s = 0; s < cell->n_species; s++) {
        const double exponent = fabs(cell->weight[s] * cell->pull[s]);
        largest = exponent > largest ? exponent : largest;
    }
    if (!(largest <= LARGEST_EXPONENT_STEP))
        for (int e = 0; e < cell->n_elements; e++) step[e] *= LARGEST_EXPONENT_STEP / largest;
}

/* Takes a step, halved until it brings the residual down, which is exact near the solution, or the function, which leads
 * there from anywhere; returns the squared residual. */
static double descend(cell_state *cell, double distance, double *step) {
    double tried[MOST_ELEMENTS], now = 0.0, height = 0.0;
    for (int halving = 0; halving <= MOST_HALVINGS; halving++) {
        for (int e = 0; e < cell->n_elements; e++) tried[e] = cell->multipliers[e] + step[e];
        now = apply(cell, tried);
        if (now <= distance) break;
        if (halving == 0) {
            apply(cell, cell->multipliers);
            height = objective(cell, cell->multipliers);
            apply(cell, tried);
        }
        if (objective(cell, tried) < height || halving == MOST_HALVINGS) break;
        for (int e = 0; e < cell->n_elements; e++) step[e] *= 0.5;
    }
    memcpy(cell->multipliers, tried, (size_t)cell->n_elements * sizeof(double));
    return now;
}

static int solve(cell_state *cell, int most_steps) {
    memset(cell->multipliers, 0, sizeof cell->multipliers);
    double distance = apply(cell, cell->multipliers);
    for (int i = 0; i < most_steps && !is_done(cell); i++) {
        double step[MOST_ELEMENTS];
        newton_step(cell, step);
        limit(cell, step);
        distance = descend(cell, distance, step);
    }
    return is_done(cell);
}

/* The larger of the sums of positive and of negative charges; below 0 where only one of them is 0, and nothing balances. */
static double ionised(int n_species, const double *charges, const double *abundances) {
    double positive = 0.0, negative = 0.0;
    for (int s = 0; s < n_species; s++)
        *(charges[s] > 0.0 ? &positive : &negative) += fabs(charges[s]) * abundances[s];
    if ((positive > 0.0) != (negative > 0.0)) return -1.0;
    return positive > negative ? positive : negative;
}

int chemnet_conserve_elements(int n_species, int n_elements, int is_neutral, const double *atoms, const double *totals,
                      double *abundances, double *scratch) {
    double *weight = scratch, *moved = scratch + n_species, *pull = moved + n_species, *start = pull + n_species;
    cell_state cell = {n_species, n_elements + (is_neutral != 0), atoms, start, weight, moved, pull, {0}, {0}, {0}, {0}};
    memcpy(cell.totals, totals, (size_t)n_elements * sizeof(double));
    memcpy(cell.size, totals, (size_t)n_elements * sizeof(double));
    for (int s = 0; s < n_species; s++) {
        double most = INFINITY;
        for (int e = 0; e < n_elements; e++) {
            const double count = atoms[(long)e * n_species + s];
            if (count > 0.0 && totals[e] / count < most) most = totals[e] / count;
        }
        start[s] = abundances[s] < most ? abundances[s] : most;
        weight[s] = most; /* for now */
    }
    if (is_neutral) cell.size[n_elements] = ionised(n_species, atoms + (long)n_elements * n_species, start);
    if (is_neutral && cell.size[n_elements] < 0.0) return 0;
    for (int s = 0; s < n_species; s++) {
        const double most = is_neutral && isinf(weight[s]) ? cell.size[n_elements] : weight[s];
        const double root = sqrt(start[s] / (most > DBL_MIN ? most : DBL_MIN));
        weight[s] = root < SMALLEST_WEIGHT ? SMALLEST_WEIGHT : root > 1.0 ? 1.0 : root;
    }
    int done = solve(&cell, WEIGHTED_STEPS);
    if (!done) {
        for (int s = 0; s < n_species; s++) weight[s] = 1.0;
        done = solve(&cell, EQUAL_STEPS);
    }
    memcpy(abundances, moved, (size_t)n_species * sizeof(double));
    return done;
}
