#include "elimination.h"

#include <string.h>

/* rows and columns of a block of the tail; a row is one vector or several, and LANES rows of them fill the registers */
#define SIDE 8
#define PARTS (SIDE / LANES)
#define BLOCK (SIDE * SIDE)

static inline lanes load(const double *from, int p) { return ((const lanes *)from)[p]; }
static inline void store(double *to, int p, lanes values) { ((lanes *)to)[p] = values; }

static size_t tail_width(const elimination_plan *plan) { return (size_t)plan->blocks * SIDE; }

/* a multiple of 4096 bytes between matrices would let their rows fight for the same cache lines */
static size_t tail_stride(const elimination_plan *plan) { return tail_width(plan) * tail_width(plan) + BLOCK; }

static double *block_at(double *tail, uint32_t blocks, uint32_t i, uint32_t j) {
    return tail + ((size_t)i * blocks + j) * BLOCK;
}

size_t chemnet_factors_size(const elimination_plan *plan, size_t width) {
    const size_t sparse = plan->lower_column.count + plan->upper_column.count + 2 * plan->n_sparse;
    return width * (sparse + 2 * tail_width(plan) + tail_stride(plan)) + tail_width(plan);
}

double *chemnet_factors_at(const elimination_plan *plan, size_t width, double *memory, lu_factors *factors) {
    factors->tails = memory;
    factors->tail_pivots = factors->tails + width * tail_stride(plan);
    factors->tail_work = factors->tail_pivots + width * tail_width(plan);
    factors->work = factors->tail_work + tail_width(plan);
    factors->inverse_pivot = factors->work + width * (plan->n_sparse + tail_width(plan));
    factors->lower = factors->inverse_pivot + width * plan->n_sparse;
    factors->upper = factors->lower + width * plan->lower_column.count;
    return factors->upper + width * plan->upper_column.count;
}

/* ---- the dense tail; blocks below the diagonal stand column by column ---- */

static void factorise_corner(double *a, double *inverse_pivot) {
    for (int i = 0; i < SIDE; i++) {
        for (int k = 0; k < i; k++) {
            const double multiplier = a[i * SIDE + k] * inverse_pivot[k];
            a[i * SIDE + k] = multiplier;
            for (int j = k + 1; j < SIDE; j++) a[i * SIDE + j] -= multiplier * a[k * SIDE + j];
        }
        inverse_pivot[i] = 1.0 / a[i * SIDE + i];
    }
}

/* Multiplies a block by the inverse of the corner's L from the left. */
static void solve_lower(const double *corner, double *block) {
    for (int i = 0; i < SIDE; i++)
        for (int p = 0; p < PARTS; p++) {
            lanes row = load(block + i * SIDE, p);
            for (int k = 0; k < i; k++) row -= corner[i * SIDE + k] * load(block + k * SIDE, p);
            store(block + i * SIDE, p, row);
        }
}

static void transpose(double *block) {
    for (int i = 1; i < SIDE; i++)
        for (int j = 0; j < i; j++) {
            const double kept = block[i * SIDE + j];
            block[i * SIDE + j] = block[j * SIDE + i];
            block[j * SIDE + i] = kept;
        }
}

/* Multiplies a block, column by column, by the inverse of the corner's U from the right. */
static void divide_by_upper(const double *corner, double *block, const double *inverse_pivot) {
    for (int k = 0; k < SIDE; k++)
        for (int p = 0; p < PARTS; p++) {
            lanes column = load(block + k * SIDE, p);
            for (int other = 0; other < k; other++) column -= corner[other * SIDE + k] * load(block + other * SIDE, p);
            store(block + k * SIDE, p, column * inverse_pivot[k]);
        }
}

/* Subtracts from c the product of m, which stands column by column, and r. */
static inline void subtract_product(double *restrict c, const double *restrict m, const double *restrict r) {
    for (int first = 0; first < SIDE; first += LANES) {
        lanes sums[LANES][PARTS];
        for (int i = 0; i < LANES; i++)
            for (int p = 0; p < PARTS; p++) sums[i][p] = load(c + (first + i) * SIDE, p);
        for (int k = 0; k < SIDE; k++)
            for (int p = 0; p < PARTS; p++) {
                const lanes row = load(r + k * SIDE, p);
                for (int i = 0; i < LANES; i++) sums[i][p] -= m[k * SIDE + first + i] * row;
            }
        for (int i = 0; i < LANES; i++)
            for (int p = 0; p < PARTS; p++) store(c + (first + i) * SIDE, p, sums[i][p]);
    }
}

static void factorise_tail(double *tail, uint32_t blocks, double *inverse_pivot) {
    for (uint32_t k = 0; k < blocks; k++) {
        double *corner = block_at(tail, blocks, k, k);
        factorise_corner(corner, inverse_pivot + k * SIDE);
        for (uint32_t j = k + 1; j < blocks; j++) solve_lower(corner, block_at(tail, blocks, k, j));
        for (uint32_t i = k + 1; i < blocks; i++) {
            double *multipliers = block_at(tail, blocks, i, k);
            transpose(multipliers);
            divide_by_upper(corner, multipliers, inverse_pivot + k * SIDE);
            for (uint32_t j = k + 1; j < blocks; j++)
                subtract_product(block_at(tail, blocks, i, j), multipliers, block_at(tail, blocks, k, j));
        }
    }
}

static void solve_tail(double *tail, uint32_t blocks, const double *inverse_pivot, double *x) {
    for (uint32_t i = 0; i < blocks; i++) {
        double *own = x + i * SIDE;
        for (int p = 0; p < PARTS; p++) {
            lanes sum = load(own, p);
            for (uint32_t k = 0; k < i; k++)
                for (int column = 0; column < SIDE; column++)
                    sum -= x[k * SIDE + column] * load(block_at(tail, blocks, i, k) + column * SIDE, p);
            store(own, p, sum);
        }
        const double *corner = block_at(tail, blocks, i, i);
        for (int row = 1; row < SIDE; row++)
            for (int column = 0; column < row; column++) own[row] -= corner[row * SIDE + column] * own[column];
    }
    for (uint32_t i = blocks; i-- > 0;) {
        double *own = x + i * SIDE;
        const double *corner = block_at(tail, blocks, i, i);
        for (int row = SIDE - 1; row >= 0; row--) {
            double value = own[row], known[SIDE] = {0.0};
            for (uint32_t j = i + 1; j < blocks; j++) {
                const double *u = block_at(tail, blocks, i, j) + row * SIDE;
                for (int p = 0; p < PARTS; p++) store(known, p, load(known, p) + load(u, p) * load(x + j * SIDE, p));
            }
            for (int lane = 0; lane < SIDE; lane++) value -= known[lane];
            for (int column = row + 1; column < SIDE; column++) value -= corner[row * SIDE + column] * own[column];
            own[row] = value * inverse_pivot[i * SIDE + row];
        }
    }
}

/* ---- the sparse part ---- */

#define NUMBER double
#define OF(name) name
#include "elimination_template.h"

#define NUMBER lanes
#define OF(name) name##_abreast
#include "elimination_template.h"
