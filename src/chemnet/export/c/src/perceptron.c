#include "perceptron.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"
#include "elementary.h"

#ifdef CHEMNET_BLAS
#include <cblas.h>
#endif

/* rows that are multiplied together: with PANEL columns they fill the registers */
#define ROWS 6
#define WIDEST 1048576
/* the exporter repeats each bias so often, for its own kernels */
#define BIAS_ROWS 8

int chemnet_layer_new(linear_layer *layer, int n_in, int n_out, int activation, const float *matrix, const float *bias) {
    const int width = (n_out + PANEL - 1) / PANEL * PANEL;
    layer->n_in = n_in;
    layer->n_out = n_out;
    layer->width = width;
    layer->activation = activation;
    layer->matrix = calloc((size_t)n_in * (size_t)width, sizeof(float));
    layer->bias = calloc((size_t)width, sizeof(float));
    if (layer->matrix == NULL || layer->bias == NULL) return CHEMNET_NO_MEMORY;
    for (int i = 0; i < n_in; i++)
        for (int j = 0; j < n_out; j++) {
#ifdef CHEMNET_BLAS
            layer->matrix[(size_t)i * width + j] = matrix[(size_t)i * n_out + j];
#else
            const size_t panel = (size_t)(j / PANEL) * n_in * PANEL;
            layer->matrix[panel + (size_t)i * PANEL + j % PANEL] = matrix[(size_t)i * n_out + j];
#endif
        }
    if (bias != NULL) memcpy(layer->bias, bias, (size_t)n_out * sizeof(float));
    return CHEMNET_OK;
}

static int read_layers(perceptron *net, const bundle_array *matrices, const bundle_array *biases,
                       const int64_t *layout) {
    const float *matrix = matrices->values, *bias = biases->values;
    size_t left = matrices->count, left_bias = biases->count;
    for (int k = 0; k < net->n_layers + net->has_skip; k++) {
        const int is_skip = k == net->n_layers;
        const int64_t n_in = layout[1 + (is_skip ? 0 : k)], n_out = layout[is_skip ? 1 + net->n_layers : 2 + k];
        const int64_t activation = is_skip ? 0 : layout[2 + net->n_layers + k];
        if (n_in < 1 || n_out < 1 || n_in > WIDEST || n_out > WIDEST || activation < 0 || activation > 4)
            return CHEMNET_DAMAGED;
        const size_t size = (size_t)n_in * (size_t)n_out, size_bias = is_skip ? 0 : (size_t)n_out * BIAS_ROWS;
        if (size > left || size_bias > left_bias) return CHEMNET_DAMAGED;
        linear_layer *layer = is_skip ? &net->skip : &net->layers[k];
        const int code = chemnet_layer_new(layer, (int)n_in, (int)n_out, (int)activation, matrix, is_skip ? NULL : bias);
        if (code != CHEMNET_OK) return code;
        matrix += size;
        bias += size_bias;
        left -= size;
        left_bias -= size_bias;
    }
    return left || left_bias ? CHEMNET_DAMAGED : CHEMNET_OK;
}

int chemnet_perceptron_read(const bundle_file *file, const char *name, perceptron *net) {
    char full[64];
    bundle_array matrices, biases, layout;
    memset(net, 0, sizeof *net);
    snprintf(full, sizeof full, "%s.matrices", name);
    int found = chemnet_bundle_find(file, full, FLOATS, &matrices);
    snprintf(full, sizeof full, "%s.biases", name);
    found &= chemnet_bundle_find(file, full, FLOATS, &biases);
    snprintf(full, sizeof full, "%s.layout", name);
    found &= chemnet_bundle_find(file, full, INTEGERS, &layout);
    if (!found || layout.count < 1) return CHEMNET_DAMAGED;
    const int64_t *numbers = layout.values, n_layers = numbers[0];
    if (n_layers < 1 || n_layers > MOST_LAYERS || layout.count != (size_t)(3 + 2 * n_layers)) return CHEMNET_DAMAGED;
    net->n_layers = (int)n_layers;
    net->has_skip = numbers[2 + 2 * n_layers] != 0;
    const int code = read_layers(net, &matrices, &biases, numbers);
    if (code != CHEMNET_OK) chemnet_perceptron_free(net);
    return code;
}

void chemnet_perceptron_free(perceptron *net) {
    for (int k = 0; k < MOST_LAYERS; k++) {
        free(net->layers[k].matrix);
        free(net->layers[k].bias);
    }
    free(net->skip.matrix);
    free(net->skip.bias);
    memset(net, 0, sizeof *net);
}

size_t chemnet_perceptron_scratch(const perceptron *net, size_t n_cells) {
    size_t size = net->has_skip ? (size_t)net->skip.width : 0;
    for (int k = 0; k < net->n_layers; k++) size += (size_t)net->layers[k].width;
    return n_cells * size;
}

#ifdef CHEMNET_BLAS
void chemnet_multiply(const linear_layer *layer, size_t n_cells, const float *inputs, size_t stride, float *out) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n_cells, layer->width, layer->n_in, 1.0f, inputs,
                (int)stride, layer->matrix, layer->width, 0.0f, out, layer->width);
}
#else
#if defined(__GNUC__) || defined(__clang__)
typedef float vector __attribute__((vector_size(4 * PANEL / 2), aligned(4)));
#define N_VECTORS 2

static inline void multiply_rows(int n_rows, const float *restrict panel, int n_in, const float *restrict inputs,
                                 size_t stride, float *restrict out, size_t width) {
    vector sums[ROWS][N_VECTORS];
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < n_in; i++) {
        const vector *weights = (const vector *)(panel + (size_t)i * PANEL);
        const vector w0 = weights[0], w1 = weights[1];
        for (int r = 0; r < n_rows; r++) {
            const float x = inputs[r * stride + i];
            sums[r][0] += x * w0;
            sums[r][1] += x * w1;
        }
    }
    for (int r = 0; r < n_rows; r++) memcpy(out + r * width, sums[r], sizeof sums[r]);
}
#else
static inline void multiply_rows(int n_rows, const float *restrict panel, int n_in, const float *restrict inputs,
                                 size_t stride, float *restrict out, size_t width) {
    float sums[ROWS][PANEL] = {{0}};
    for (int i = 0; i < n_in; i++)
        for (int r = 0; r < n_rows; r++)
            for (int j = 0; j < PANEL; j++) sums[r][j] += inputs[r * stride + i] * panel[(size_t)i * PANEL + j];
    for (int r = 0; r < n_rows; r++) memcpy(out + r * width, sums[r], sizeof sums[r]);
}
#endif

void chemnet_multiply(const linear_layer *layer, size_t n_cells, const float *inputs, size_t stride, float *out) {
    const int n_in = layer->n_in;
    const size_t width = (size_t)layer->width;
    for (int first = 0; first < layer->width; first += PANEL) {
        const float *panel = layer->matrix + (size_t)first * n_in;
        size_t cell = 0;
        for (; cell + ROWS <= n_cells; cell += ROWS)
            multiply_rows(ROWS, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width);
        /* constants, so that each has its own unrolled loop */
        switch (n_cells - cell) {
        case 1: multiply_rows(1, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width); break;
        case 2: multiply_rows(2, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width); break;
        case 3: multiply_rows(3, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width); break;
        case 4: multiply_rows(4, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width); break;
        case 5: multiply_rows(5, panel, n_in, inputs + cell * stride, stride, out + cell * width + first, width); break;
        default: break;
        }
    }
}
#endif

/* Adds biases and applies an activation: 0 none, 1 GELU, 2 SiLU, 3 ReLU, 4 tanh, as the exporter numbers them. */
static void activate(const linear_layer *layer, size_t n_cells, float *values) {
    const int width = layer->width;
    const float *restrict bias = layer->bias;
    for (size_t cell = 0; cell < n_cells; cell++) {
        float *restrict row = values + cell * width;
        switch (layer->activation) {
        case 1:
            for (int j = 0; j < width; j++) {
                const float x = row[j] + bias[j];
                row[j] = x * (0.5f + half_erf(x));
            }
            break;
        case 2:
            for (int j = 0; j < width; j++) {
                const float x = 0.5f * (row[j] + bias[j]);
                row[j] = x + x * fast_tanh(x);
            }
            break;
        case 3:
            for (int j = 0; j < width; j++) {
                const float x = row[j] + bias[j];
                row[j] = x > 0.0f ? x : 0.0f;
            }
            break;
        case 4:
            for (int j = 0; j < width; j++) row[j] = fast_tanh(row[j] + bias[j]);
            break;
        default:
            for (int j = 0; j < width; j++) row[j] += bias[j];
        }
    }
}

const float *chemnet_perceptron_run(const perceptron *net, size_t n_cells, const float *inputs, size_t stride, float *scratch) {
    const float *current = inputs;
    size_t current_stride = stride;
    float *out = scratch;
    for (int k = 0; k < net->n_layers; k++) {
        const linear_layer *layer = &net->layers[k];
        chemnet_multiply(layer, n_cells, current, current_stride, out);
        activate(layer, n_cells, out);
        current = out;
        current_stride = (size_t)layer->width;
        out += n_cells * current_stride;
    }
    if (net->has_skip) {
        float *last = out - n_cells * current_stride;
        chemnet_multiply(&net->skip, n_cells, inputs, stride, out);
        for (size_t j = 0; j < n_cells * current_stride; j++) last[j] += out[j];
    }
    return current;
}
