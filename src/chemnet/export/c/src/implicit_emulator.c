#include "implicit_emulator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"
#include "elementary.h"
#include "stiff_solver.h"

#define SECONDS_PER_YEAR 3.16e7 /* UCLCHEM's year */
#define LN_10 2.302585092994046
/* last update, and expected error, of a step that neither iterations nor the solver could do [dex] */
#define NO_UPDATE 10.0f
/* what the solver begins with where a table has cut off, and its absolute tolerance */
#define COLD 1e-30
#define SOLVER_ATOL 1e-25
/* the step must see what a table has cut off: rounding could lift it above the floor */
#define ROUNDING 1e-9
/* of the correction, in dex: see chemnet.models.emulators.implicit.correction */
#define LARGEST_INCREMENT 3.0f
#define SCALED_INCREMENT 1.0f
#define SHOWN_INCREMENT 0.03f
#define N_STEP_SIGNS 2

/* ---- reading ---- */

static int in_of(const perceptron *net) { return net->layers[0].n_in; }
static int out_of(const perceptron *net) { return net->layers[net->n_layers - 1].n_out; }

static int read_settings(const bundle_file *file, int n_physical, implicit_emulator *net) {
    bundle_array form, numbers, columns;
    if (!chemnet_bundle_find(file, "implicit.form", INTEGERS, &form) || form.count != 4
        || !chemnet_bundle_find(file, "implicit.numbers", DOUBLES, &numbers) || numbers.count != 6
        || !chemnet_bundle_find(file, "implicit.columns", INTEGERS, &columns) || columns.count != N_CONDITIONS)
        return CHEMNET_DAMAGED;
    const int64_t *whole = form.values, *places = columns.values;
    const double *given = numbers.values;
    if (whole[1] < 0 || whole[2] < (whole[0] ? 1 : 0) || whole[2] < whole[1] || whole[2] > 1000 || whole[3] < 0 || whole[3] > 10000
        || !(given[2] < 1.0))
        return CHEMNET_DAMAGED;
    for (int i = 0; i < 6; i++)
        if (!(given[i] > 0.0)) return CHEMNET_DAMAGED;
    net->has_network = whole[0] != 0;
    net->limits.least = (int)whole[1];
    net->limits.most = (int)whole[2];
    net->limits.tolerance = given[0];
    net->largest_error = given[1];
    net->solver_rtol = given[2];
    net->sub_steps.count = (int)whole[3];
    net->sub_steps.growth = given[3];
    net->sub_steps.tolerance = given[4];
    net->sub_step_error = given[5];
    for (int c = 0; c < N_CONDITIONS; c++) {
        const int must_be = c < DUST_TEMPERATURE && net->has_network;
        if (places[c] < (must_be ? 0 : -1) || places[c] >= n_physical) return CHEMNET_DAMAGED;
        net->columns[c] = (int)places[c];
    }
    return CHEMNET_OK;
}

static int read_order(const bundle_file *file, implicit_emulator *net) {
    bundle_array order;
    if (!chemnet_bundle_find(file, "implicit.order", INTEGERS, &order) || order.count != (size_t)net->n_species
        || net->network.n != (uint32_t)net->n_species)
        return CHEMNET_DAMAGED;
    net->order.at = malloc(order.count * sizeof(uint32_t));
    if (net->order.at == NULL) return CHEMNET_NO_MEMORY;
    net->order.count = (uint32_t)order.count;
    for (size_t i = 0; i < order.count; i++) {
        const int64_t place = ((const int64_t *)order.values)[i];
        if (place < 0 || place >= net->n_species) return CHEMNET_DAMAGED;
        net->order.at[i] = (uint32_t)place;
    }
    return CHEMNET_OK;
}

static int read_correction(const bundle_file *file, const emulator *forcing, implicit_emulator *net) {
    bundle_array centre, width;
    const size_t species = (size_t)net->n_species;
    if (!chemnet_bundle_find(file, "implicit.centre", FLOATS, &centre) || centre.count != species
        || !chemnet_bundle_find(file, "implicit.width", FLOATS, &width) || width.count != species)
        return CHEMNET_DAMAGED;
    net->centre = centre.values;
    net->width = width.values;
    int code = chemnet_perceptron_read(file, "implicit.first", &net->first);
    if (code == CHEMNET_OK) code = chemnet_perceptron_read(file, "implicit.second", &net->second);
    if (code == CHEMNET_OK) code = chemnet_perceptron_read(file, "implicit.last", &net->last);
    if (code != CHEMNET_OK) return code;
    const int hidden = out_of(&net->first);
    const perceptron *all[] = {&net->first, &net->second, &net->last};
    for (int k = 0; k < 3; k++)
        if (all[k]->n_layers != 1 || all[k]->has_skip) return CHEMNET_DAMAGED;
    const int fits = in_of(&net->first) == 3 * net->n_species + forcing->n_terms + N_STEP_SIGNS && in_of(&net->second) == hidden
                     && out_of(&net->second) == hidden && in_of(&net->last) == hidden && out_of(&net->last) > 4 * net->n_species;
    return fits ? CHEMNET_OK : CHEMNET_DAMAGED;
}

int chemnet_implicit_read(const bundle_file *file, const emulator *forcing, int n_physical, double decades, implicit_emulator *net) {
    memset(net, 0, sizeof *net);
    if (forcing->kind != IMPLICIT) return CHEMNET_OK;
    net->is_there = 1;
    net->n_species = forcing->n_latents;
    net->decades = decades;
    int code = read_settings(file, n_physical, net);
    if (code == CHEMNET_OK && net->has_network) code = chemnet_network_read(file, &net->network);
    if (code == CHEMNET_OK && net->has_network) code = read_order(file, net);
    return code == CHEMNET_OK ? read_correction(file, forcing, net) : code;
}

void chemnet_implicit_free(implicit_emulator *net) {
    chemnet_network_free(&net->network);
    free(net->order.at);
    chemnet_perceptron_free(&net->first);
    chemnet_perceptron_free(&net->second);
    chemnet_perceptron_free(&net->last);
}

int chemnet_implicit_workspace_new(const implicit_emulator *net, size_t n_cells, implicit_workspace *work) {
    if (!net->is_there) return CHEMNET_OK;
    const size_t species = (size_t)net->n_species;
    work->iterate = malloc((n_cells * (species + 3) + species) * sizeof(float));
    work->states = malloc(n_cells * (species + N_CONDITIONS + 1) * sizeof(double));
    work->found = malloc(n_cells * sizeof(iterated));
    if (work->iterate == NULL || work->states == NULL || work->found == NULL) return CHEMNET_NO_MEMORY;
    work->update = work->iterate + n_cells * species;
    work->iterations = work->update + n_cells;
    work->expected = work->iterations + n_cells;
    work->before = work->expected + n_cells;
    work->conditions = work->states + n_cells * species;
    work->durations = work->conditions + n_cells * N_CONDITIONS;
    return net->has_network ? chemnet_step_workspace_new(&net->network, &work->step) : CHEMNET_OK;
}

void chemnet_implicit_workspace_free(implicit_workspace *work) {
    free(work->iterate);
    free(work->states);
    free(work->found);
    chemnet_step_workspace_free(&work->step);
}

static size_t n_inputs(const implicit_emulator *net) { return (size_t)in_of(&net->first); }

size_t chemnet_implicit_scratch(const implicit_emulator *net, size_t n_cells) {
    if (!net->is_there) return 0;
    return n_cells * n_inputs(net) + chemnet_perceptron_scratch(&net->first, n_cells)
           + chemnet_perceptron_scratch(&net->second, n_cells) + chemnet_perceptron_scratch(&net->last, n_cells);
}

/* ---- the step ---- */

/* Conditions of one cell as the network saw them in training: through scaled parameters in single precision. */
static void set_conditions(const implicit_emulator *net, const forcing_block *block, size_t cell, int n_physical, double *conditions) {
    for (int c = 0; c < N_CONDITIONS; c++) {
        const int p = net->columns[c];
        conditions[c] = NAN;
        if (p < 0) continue;
        const double scaled = (double)(float)block->scaled_physical[cell * block->stride + (size_t)p];
        conditions[c] = exp(LN_10 * (scaled * block->scaling[n_physical + p] + block->scaling[p]));
    }
    if (net->columns[DUST_TEMPERATURE] < 0) conditions[DUST_TEMPERATURE] = conditions[GAS_TEMPERATURE];
    if (net->columns[ZETA] < 0) conditions[ZETA] = 1.0;
}

/* The column of gas that a magnitude of extinction by this dust stands for, where it is not given. */
static void add_dust(const reaction_network *net, double *conditions) {
    if (net->nuclei_per_av != 1.0 && !(conditions[COLUMN_NUCLEI] >= 0.0))
        conditions[COLUMN_NUCLEI] = conditions[EXTINCTION] / 5.348e-22 * net->nuclei_per_av;
}

/* Abundances in the network's order of scaled ones, and `nothing` for what is cut off. */
static void unscale(const implicit_emulator *net, const float *scaled, double nothing, double *abundances) {
    const double range = net->decades * LN_10;
    for (int i = 0; i < net->n_species; i++) {
        const float held_inside = held(scaled[net->order.at[i]], 0.0f, 1.0f);
        abundances[i] = held_inside > 0.0f ? fast_exp(((double)held_inside - 1.0) * range) : nothing;
    }
}

static void scale(const implicit_emulator *net, const double *abundances, float *scaled) {
    const double range = net->decades * LN_10, floor = pow(10.0, -net->decades);
    for (int i = 0; i < net->n_species; i++) {
        const double above = abundances[i] > floor ? abundances[i] : floor;
        scaled[net->order.at[i]] = (float)(log(above < 1.0 ? above : 1.0) / range + 1.0);
    }
}

static double seconds(const forcing_block *block, size_t cell) { return (double)(float)block->dt[cell] * SECONDS_PER_YEAR; }

/* Fills the iterates of scaled abundances (n_cells, n_species), and how the iterations went. */
static void iterate(const implicit_emulator *net, implicit_workspace *work, size_t n_cells, const forcing_block *block,
                    int n_physical, const int32_t *flags, const float *before) {
    const size_t species = (size_t)net->n_species;
    memcpy(work->iterate, before, n_cells * species * sizeof(float));
    for (size_t cell = 0; cell < n_cells; cell++) work->update[cell] = work->iterations[cell] = 0.0f;
    if (!net->has_network) return;
    for (size_t cell = 0; cell < n_cells; cell++) {
        double *conditions = work->conditions + cell * N_CONDITIONS;
        set_conditions(net, block, cell, n_physical, conditions);
        for (int c = COLUMN_NUCLEI; c < N_CONDITIONS; c++) conditions[c] = NAN;
        add_dust(&net->network, conditions);
        work->durations[cell] = flags[cell] & CHEMNET_BAD_INPUT ? 0.0 : seconds(block, cell);
        unscale(net, before + cell * species, pow(10.0, -net->decades) * (1.0 - ROUNDING), work->states + cell * species);
    }
    chemnet_iterate(&net->network, &work->step, n_cells, &net->limits, work->states, work->conditions, work->durations, work->found);
    for (size_t cell = 0; cell < n_cells; cell++) {
        const iterated *found = &work->found[cell];
        if (found->code < SINGULAR) scale(net, work->states + cell * species, work->iterate + cell * species);
        work->iterations[cell] = (float)found->iterations;
        work->update[cell] = found->code < SINGULAR ? (float)found->update : NO_UPDATE;
    }
}

/* Integrates the equations of one cell, by sub-steps where these resolve the change and by the solver elsewhere, and puts
 * the end in place of what the networks say. Returns the flag of what did it. */
static int32_t integrate(const implicit_emulator *net, implicit_workspace *work, const forcing_block *block, size_t cell,
                         int n_physical, const float *before, float *after) {
    double conditions[N_CONDITIONS];
    set_conditions(net, block, cell, n_physical, conditions);
    unscale(net, before, COLD, work->step.start);
    if (!chemnet_has_rates(&net->network, conditions, seconds(block, cell))) return CHEMNET_NOT_CONVERGED;
    int32_t by = CHEMNET_BY_SUBSTEPS;
    /* the iterations' conditions are those of the step; the solver knows columns that are given, too */
    const double *own = work->conditions + cell * N_CONDITIONS;
    if (!net->sub_steps.count || !chemnet_sub_step(&net->network, &work->step, own, seconds(block, cell), &net->sub_steps)) {
        add_dust(&net->network, conditions);
        by = CHEMNET_BY_SOLVER;
        if (!chemnet_integrate(&net->network, &work->step, conditions, seconds(block, cell), net->solver_rtol, SOLVER_ATOL))
            return CHEMNET_NOT_CONVERGED;
    }
    scale(net, work->step.x, after);
    return by;
}

/* ---- the correction ---- */

static void write_inputs(const implicit_emulator *net, const emulator *forcing, const implicit_workspace *work, size_t cell,
                         const double *physical, const float *before, float *inputs) {
    const int n = net->n_species;
    const float *iterate = work->iterate + cell * (size_t)n;
    float *restrict z = inputs, *restrict z_after = inputs + n, *restrict shown = inputs + 2 * n;
    for (int i = 0; i < n; i++) {
        const float after = held(iterate[i], 0.0f, 1.0f);
        z[i] = (before[i] - net->centre[i]) / net->width[i];
        z_after[i] = (after - net->centre[i]) / net->width[i];
        shown[i] = fast_asinh((float)net->decades * (after - before[i]) / SHOWN_INCREMENT);
    }
    chemnet_emulator_features(forcing, physical, inputs + 3 * n);
    float *signs = inputs + 3 * n + forcing->n_terms;
    signs[0] = fast_log2(held(work->update[cell], 1e-6f, 10.0f)) * LOG10_2F;
    signs[1] = work->iterations[cell] / 4.0f - 1.0f;
}

/* start + weight (end - start), exact at both ends */
static inline float between(float start, float end, float weight) {
    return weight < 0.5f ? start + weight * (end - start) : end - (end - start) * (1.0f - weight);
}

static void correct(const implicit_emulator *net, float relative, const float *iterate, const float *out, float *abundances) {
    const int n = net->n_species;
    const float *restrict target = out, *restrict rate = out + n, *restrict gate = out + 2 * n, *restrict gain = out + 3 * n;
    const float decades = (float)net->decades;
    for (int i = 0; i < n; i++) {
        const float before = abundances[i], after = held(iterate[i], 0.0f, 1.0f), increment = decades * (after - before);
        const float z = (before - net->centre[i]) / net->width[i];
        const float kept = fast_exp2(-relative * fast_log2(1.0f + fast_exp2(rate[i] * LOG2_EF)));
        const float relaxed = net->centre[i] + net->width[i] * between(target[i], z, kept);
        const float squashed = LARGEST_INCREMENT * fast_tanh(increment / LARGEST_INCREMENT);
        const float scaled = before + squashed * fast_exp2(fast_tanh(gain[i]) * LOG2_EF) / decades;
        const float corrected = fabsf(increment) < SCALED_INCREMENT ? scaled : after;
        abundances[i] = held(between(relaxed, corrected, 0.5f + 0.5f * fast_tanh(0.5f * gate[i])), 0.0f, 1.0f);
    }
}

/* hidden + SiLU(second(hidden)), in place of `second` */
static void add_hidden(size_t count, const float *restrict hidden, float *restrict second) {
    for (size_t i = 0; i < count; i++) second[i] += hidden[i];
}

/* Fills `out` (n_cells, width of the last layer) with what the networks say. */
static const float *run_networks(const implicit_emulator *net, size_t n_cells, const float *inputs, float *scratch) {
    const size_t width = (size_t)net->first.layers[0].width;
    const float *hidden = chemnet_perceptron_run(&net->first, n_cells, inputs, n_inputs(net), scratch);
    scratch += chemnet_perceptron_scratch(&net->first, n_cells);
    chemnet_perceptron_run(&net->second, n_cells, hidden, width, scratch);
    add_hidden(n_cells * width, hidden, scratch);
    return chemnet_perceptron_run(&net->last, n_cells, scratch, width, scratch + chemnet_perceptron_scratch(&net->second, n_cells));
}

void chemnet_implicit_advance(const implicit_emulator *net, const emulator *forcing, implicit_workspace *work, size_t n_cells,
                      const forcing_block *block, float *abundances, int32_t *flags, float *scratch) {
    const size_t species = (size_t)net->n_species, physical = (size_t)forcing->n_physical;
    float *inputs = scratch, *before = work->before;
    for (size_t cell = 0; cell < n_cells; cell++)
        if (flags[cell] & CHEMNET_BAD_INPUT) memset(abundances + cell * species, 0, species * sizeof(float));
    iterate(net, work, n_cells, block, forcing->n_physical, flags, abundances);
    for (size_t cell = 0; cell < n_cells; cell++)
        write_inputs(net, forcing, work, cell, block->physical + cell * physical, abundances + cell * species,
                     inputs + cell * n_inputs(net));
    const float *out = run_networks(net, n_cells, inputs, scratch + n_cells * n_inputs(net));
    const size_t width = (size_t)net->last.layers[0].width;
    for (size_t cell = 0; cell < n_cells; cell++) {
        const float *own = out + cell * width;
        float *row = abundances + cell * species;
        memcpy(before, row, species * sizeof(float));
        correct(net, (float)block->dt[cell] / (float)forcing->usual_dt, work->iterate + cell * species, own, row);
        float *expected = &work->expected[cell];
        *expected = fast_exp2(own[4 * species] * LOG2_10F);
        const int has_ended = (double)work->update[cell] <= net->limits.tolerance;
        if (!net->has_network || (flags[cell] & CHEMNET_BAD_INPUT) || (has_ended && !((double)*expected > net->largest_error))) continue;
        const int32_t by = integrate(net, work, block, cell, forcing->n_physical, before, row);
        if (by == CHEMNET_NOT_CONVERGED && has_ended) continue;
        flags[cell] |= by;
        *expected = by == CHEMNET_BY_SOLVER ? 0.0f : by == CHEMNET_BY_SUBSTEPS ? (float)net->sub_step_error : NO_UPDATE;
    }
}
