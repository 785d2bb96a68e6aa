/* Perceptrons: linear maps and activations, for blocks of cells. */
#ifndef CHEMNET_PERCEPTRON_H
#define CHEMNET_PERCEPTRON_H

#include "bundle_file.h"

/* columns that are computed together: rows of matrices are filled up to whole panels of them */
#ifdef __AVX512F__
#define PANEL 32
#else
#define PANEL 16
#endif
#define MOST_LAYERS 16

typedef struct {
    int n_in, n_out, width; /* width: n_out filled up to whole panels */
    int activation;
    float *matrix; /* panels of (n_in, PANEL); rows (n_in, width) where a BLAS multiplies */
    float *bias;   /* (width) */
} linear_layer;

typedef struct {
    int n_layers;
    linear_layer layers[MOST_LAYERS];
    int has_skip; /* the inputs times a matrix of their own are added to the outputs */
    linear_layer skip;
} perceptron;

/* Reads "<name>.matrices", "<name>.biases" and "<name>.layout"; 0 or an error code. */
int chemnet_perceptron_read(const bundle_file *file, const char *name, perceptron *net);
void chemnet_perceptron_free(perceptron *net);
/* Floats of scratch memory for so many cells. */
size_t chemnet_perceptron_scratch(const perceptron *net, size_t n_cells);
/* Returns the outputs, rows of net's last width, in a part of the scratch memory. */
const float *chemnet_perceptron_run(const perceptron *net, size_t n_cells, const float *inputs, size_t stride, float *scratch);
/* out (n_cells, layer->width) = inputs (n_cells, n_in) @ matrix */
void chemnet_multiply(const linear_layer *layer, size_t n_cells, const float *inputs, size_t stride, float *out);
int chemnet_layer_new(linear_layer *layer, int n_in, int n_out, int activation, const float *matrix, const float *bias);

#endif
