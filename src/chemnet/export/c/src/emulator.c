#include "emulator.h"

#include <stdio.h>
#include <string.h>

#include "../chemnet_surrogate.h"
#include "elementary.h"

/* shortest relative time step that the logarithm tells apart */
#define SHORTEST_STEP 1e-6

static int find(const bundle_file *file, int member, const char *name, array_kind kind, bundle_array *array) {
    char full[48];
    snprintf(full, sizeof full, "member%d.%s", member, name);
    return chemnet_bundle_find(file, full, kind, array);
}

static int read_network(const bundle_file *file, int member, const char *name, perceptron *net) {
    char full[48];
    snprintf(full, sizeof full, "member%d.%s", member, name);
    return chemnet_perceptron_read(file, full, net);
}

static int out_of(const perceptron *net) { return net->layers[net->n_layers - 1].n_out; }

static int in_of(const perceptron *net) { return net->layers[0].n_in; }

/* Whether the networks fit one another and the numbers that stand beside them. */
static int fits(const emulator *net) {
    const int n_given = net->n_terms + (net->usual_dt > 0.0) + net->n_latents, m = net->n_memory;
    if (net->kind == RECURRENT)
        return in_of(&net->look) == n_given && in_of(&net->new_products) == out_of(&net->look)
               && out_of(&net->new_products) == 3 * m && in_of(&net->old_products) == m
               && out_of(&net->old_products) == 3 * m && in_of(&net->change) == m + net->n_latents
               && out_of(&net->change) >= net->n_latents && in_of(&net->first_memory) == net->n_latents
               && out_of(&net->first_memory) == m && !net->look.has_skip;
    const int n_out = out_of(&net->change);
    return in_of(&net->change) == n_given
           && (net->kind == RESIDUAL ? n_out >= net->n_latents : n_out % 2 == 0 && n_out / 2 >= net->n_latents);
}

static int terms_are_sound(const emulator *net) {
    for (int d = 0; d < net->n_terms; d++)
        for (int k = 0; k <= 2; k += 2) {
            const float place = net->terms[8 * d + k];
            if (!(place >= 0.0f && place < (float)net->n_physical)) return 0;
        }
    return 1;
}

int chemnet_emulator_read(const bundle_file *file, int member, int n_physical, emulator *net) {
    bundle_array form, usual, terms, limits, ranges;
    memset(net, 0, sizeof *net);
    if (!find(file, member, "form", INTEGERS, &form) || form.count != 3 || !find(file, member, "usual_dt", DOUBLES, &usual)
        || usual.count != 1 || !find(file, member, "terms", FLOATS, &terms) || terms.shape[1] != 8
        || !find(file, member, "limits", FLOATS, &limits) || limits.count != (size_t)(2 * n_physical)
        || !find(file, member, "ranges", FLOATS, &ranges) || ranges.shape[0] != 4)
        return CHEMNET_DAMAGED;
    const int64_t *numbers = form.values;
    if (numbers[0] < 0 || numbers[0] > IMPLICIT || numbers[1] < 1 || numbers[1] != (int64_t)ranges.shape[1] || numbers[2] < 0
        || numbers[2] > 65536 || numbers[1] > 65536 || terms.shape[0] > 4096)
        return CHEMNET_DAMAGED;
    net->kind = (emulator_kind)numbers[0];
    net->n_latents = (int)numbers[1];
    net->n_memory = (int)numbers[2];
    net->n_terms = (int)terms.shape[0];
    net->n_physical = n_physical;
    memcpy(&net->usual_dt, usual.values, sizeof(double));
    net->terms = terms.values;
    net->limits = limits.values;
    net->low = ranges.values;
    net->high = net->low + net->n_latents;
    net->centre = net->high + net->n_latents;
    net->width = net->centre + net->n_latents;
    if (net->kind == IMPLICIT) return terms_are_sound(net) && net->usual_dt > 0.0 && !net->n_memory ? CHEMNET_OK : CHEMNET_DAMAGED;
    int code = read_network(file, member, "change", &net->change);
    if (net->kind == RECURRENT) {
        if (code == CHEMNET_OK) code = read_network(file, member, "look", &net->look);
        if (code == CHEMNET_OK) code = read_network(file, member, "new", &net->new_products);
        if (code == CHEMNET_OK) code = read_network(file, member, "old", &net->old_products);
        if (code == CHEMNET_OK) code = read_network(file, member, "memory", &net->first_memory);
    }
    if (code == CHEMNET_OK && (!terms_are_sound(net) || !fits(net))) code = CHEMNET_DAMAGED;
    if (code != CHEMNET_OK) chemnet_emulator_free(net);
    return code;
}

void chemnet_emulator_free(emulator *net) {
    chemnet_perceptron_free(&net->change);
    chemnet_perceptron_free(&net->look);
    chemnet_perceptron_free(&net->new_products);
    chemnet_perceptron_free(&net->old_products);
    chemnet_perceptron_free(&net->first_memory);
}

static size_t n_given(const emulator *net) {
    return (size_t)(net->n_terms + (net->usual_dt > 0.0) + net->n_latents);
}

size_t chemnet_emulator_scratch(const emulator *net, size_t n_cells) {
    const perceptron *all[] = {&net->change, &net->look, &net->new_products, &net->old_products, &net->first_memory};
    size_t size = n_cells * (n_given(net) + (size_t)(net->n_memory + net->n_latents));
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) size += chemnet_perceptron_scratch(all[k], n_cells);
    return size;
}

void chemnet_emulator_features(const emulator *net, const double *physical, float *features) {
    for (int d = 0; d < net->n_terms; d++) {
        const float *term = net->terms + 8 * d;
        float logs[2];
        for (int k = 0; k < 2; k++) {
            const int p = (int)term[2 * k];
            const float log10_p = fast_log2((float)physical[p]) * LOG10_2F;
            logs[k] = held(log10_p, net->limits[2 * p], net->limits[2 * p + 1]);
        }
        float value = term[1] * logs[0];
        if (term[3] != 0.0f) {
            value += term[3] * fast_exp2(term[4] * LOG2_10F * logs[1]);
            value = value > term[5] ? value : term[5];
            if (term[6] != 0.0f) value = fast_exp2(value * LOG2_EF);
        }
        features[d] = value - term[7];
    }
}

/* Features of the physical parameters and of the time step. */
static void write_forcing(const emulator *net, size_t cell, const double *physical, const double *dt, float *given) {
    chemnet_emulator_features(net, physical + cell * (size_t)net->n_physical, given);
    if (net->usual_dt > 0.0) {
        const double relative = dt[cell] / net->usual_dt;
        given[net->n_terms] = fast_log2((float)(relative > SHORTEST_STEP ? relative : SHORTEST_STEP)) * LOG10_2F;
    }
}

static void move_residual(const emulator *net, float relative, const float *change, float *latents) {
    const float gate = 2.0f * relative / (1.0f + relative);
    for (int j = 0; j < net->n_latents; j++)
        latents[j] = held(latents[j] + gate * change[j], net->low[j], net->high[j]);
}

static void move_relaxing(const emulator *net, float relative, const float *change, float *latents) {
    const float *rates = change + out_of(&net->change) / 2;
    if (net->usual_dt > 0.0)
        for (int j = 0; j < net->n_latents; j++) {
            const float kept = fast_exp2(-relative * fast_log2(1.0f + fast_exp2(rates[j] * LOG2_EF)));
            latents[j] = held(change[j] + (latents[j] - change[j]) * kept, net->low[j], net->high[j]);
        }
    else
        for (int j = 0; j < net->n_latents; j++) {
            const float kept = 0.5f - 0.5f * fast_tanh(0.5f * rates[j]);
            latents[j] = held(change[j] + (latents[j] - change[j]) * kept, net->low[j], net->high[j]);
        }
}

static float relative_step(const emulator *net, const double *dt, size_t cell) {
    return net->usual_dt > 0.0 ? (float)(dt[cell] / net->usual_dt) : 1.0f;
}

/* A gated recurrent unit; a step shorter or longer than the usual one moves its memory less or more. */
static void renew_memory(const emulator *net, float relative, const float *new_row, const float *old_row, float *memory) {
    const int m = net->n_memory;
    const float doubled = 2.0f * relative / (1.0f + relative), gate = doubled < 1.0f ? doubled : 1.0f;
    for (int j = 0; j < m; j++) {
        const float reset = 0.5f + 0.5f * fast_tanh(0.5f * (new_row[j] + old_row[j]));
        const float update = 0.5f + 0.5f * fast_tanh(0.5f * (new_row[m + j] + old_row[m + j]));
        const float candidate = fast_tanh(new_row[2 * m + j] + reset * old_row[2 * m + j]);
        memory[j] += gate * (1.0f - update) * (candidate - memory[j]);
    }
}

static void step_recurrent(const emulator *net, size_t n_cells, const double *dt, const float *given, float *latents,
                           float *memory, float *scratch) {
    const size_t width = n_given(net), m = (size_t)net->n_memory, n = (size_t)net->n_latents;
    float *seen = scratch;
    scratch += n_cells * (m + n);
    const float *looked = chemnet_perceptron_run(&net->look, n_cells, given, width, scratch);
    const size_t looked_width = (size_t)net->look.layers[net->look.n_layers - 1].width;
    scratch += chemnet_perceptron_scratch(&net->look, n_cells);
    const float *by_new = chemnet_perceptron_run(&net->new_products, n_cells, looked, looked_width, scratch);
    scratch += chemnet_perceptron_scratch(&net->new_products, n_cells);
    const float *by_old = chemnet_perceptron_run(&net->old_products, n_cells, memory, m, scratch);
    scratch += chemnet_perceptron_scratch(&net->old_products, n_cells);
    const size_t new_width = (size_t)net->new_products.layers[net->new_products.n_layers - 1].width;
    const size_t old_width = (size_t)net->old_products.layers[net->old_products.n_layers - 1].width;
    for (size_t cell = 0; cell < n_cells; cell++) {
        renew_memory(net, relative_step(net, dt, cell), by_new + cell * new_width, by_old + cell * old_width,
                     memory + cell * m);
        memcpy(seen + cell * (m + n), memory + cell * m, m * sizeof(float));
        memcpy(seen + cell * (m + n) + m, latents + cell * n, n * sizeof(float));
    }
    const float *change = chemnet_perceptron_run(&net->change, n_cells, seen, m + n, scratch);
    const size_t change_width = (size_t)net->change.layers[net->change.n_layers - 1].width;
    for (size_t cell = 0; cell < n_cells; cell++)
        move_residual(net, relative_step(net, dt, cell), change + cell * change_width, latents + cell * n);
}

void chemnet_emulator_step(const emulator *net, size_t n_cells, const double *physical, const double *dt, float *latents,
                   float *memory, float *scratch) {
    const size_t width = n_given(net), n = (size_t)net->n_latents;
    float *given = scratch;
    scratch += n_cells * width;
    for (size_t cell = 0; cell < n_cells; cell++) {
        write_forcing(net, cell, physical, dt, given + cell * width);
        memcpy(given + cell * width + width - n, latents + cell * n, n * sizeof(float));
    }
    if (net->kind == RECURRENT) {
        step_recurrent(net, n_cells, dt, given, latents, memory, scratch);
        return;
    }
    const float *change = chemnet_perceptron_run(&net->change, n_cells, given, width, scratch);
    const size_t change_width = (size_t)net->change.layers[net->change.n_layers - 1].width;
    for (size_t cell = 0; cell < n_cells; cell++) {
        const float relative = relative_step(net, dt, cell);
        if (net->kind == RESIDUAL)
            move_residual(net, relative, change + cell * change_width, latents + cell * n);
        else
            move_relaxing(net, relative, change + cell * change_width, latents + cell * n);
    }
}

void chemnet_emulator_first_memory(const emulator *net, size_t n_cells, const float *latents, float *memory, float *scratch) {
    if (net->kind != RECURRENT) return;
    const float *first = chemnet_perceptron_run(&net->first_memory, n_cells, latents, (size_t)net->n_latents, scratch);
    const size_t width = (size_t)net->first_memory.layers[net->first_memory.n_layers - 1].width;
    for (size_t cell = 0; cell < n_cells; cell++)
        memcpy(memory + cell * (size_t)net->n_memory, first + cell * width, (size_t)net->n_memory * sizeof(float));
}
