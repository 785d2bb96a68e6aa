#include "elimination.h"

#include <string.h>

/* A row of a block is one or several vectors of the processor; ROWS of them fill its registers as accumulators. */
#if defined(__GNUC__) || defined(__clang__)
#if defined(__AVX512F__)
#define PART_LANES 8
#elif defined(__AVX__)
#define PART_LANES 4
#else
#define PART_LANES 2
#endif
typedef double part __attribute__((vector_size(8 * PART_LANES), aligned(8), may_alias));
#else
#define PART_LANES 1
typedef double part;
#endif
#define PARTS (LANES / PART_LANES)
#define ROWS PART_LANES
#define BLOCK (LANES * LANES)

static inline part load(const double *from, int p) { return ((const part *)from)[p]; }
static inline void store(double *to, int p, part values) { ((part *)to)[p] = values; }

static size_t tail_width(const elimination_plan *plan) { return (size_t)plan->blocks * LANES; }

static double *block_at(double *tail, uint32_t blocks, uint32_t i, uint32_t j) {
    return tail + ((size_t)i * blocks + j) * BLOCK;
}

size_t chemnet_factors_size(const elimination_plan *plan) {
    const size_t width = tail_width(plan), wide = plan->n_sparse - plan->first_wide;
    return plan->lower_column.count + plan->upper_column.count + wide * width + 2 * (plan->n_sparse + width) + width * width;
}

double *chemnet_factors_at(const elimination_plan *plan, double *memory, lu_factors *factors) {
    const size_t width = tail_width(plan), wide = plan->n_sparse - plan->first_wide;
    factors->tail = memory;
    factors->wide = factors->tail + width * width;
    factors->inverse_pivot = factors->wide + wide * width;
    factors->work = factors->inverse_pivot + plan->n_sparse + width;
    factors->lower = factors->work + plan->n_sparse + width;
    factors->upper = factors->lower + plan->lower_column.count;
    return factors->upper + plan->upper_column.count;
}

/* ---- the dense tail; blocks below the diagonal stand column by column ---- */

static void factorise_corner(double *a, double *inverse_pivot) {
    for (int i = 0; i < LANES; i++) {
        for (int k = 0; k < i; k++) {
            const double multiplier = a[i * LANES + k] * inverse_pivot[k];
            a[i * LANES + k] = multiplier;
            for (int j = k + 1; j < LANES; j++) a[i * LANES + j] -= multiplier * a[k * LANES + j];
        }
        inverse_pivot[i] = 1.0 / a[i * LANES + i];
    }
}

/* Multiplies a block by the inverse of the corner's L from the left. */
static void solve_lower(const double *corner, double *block) {
    for (int i = 0; i < LANES; i++)
        for (int p = 0; p < PARTS; p++) {
            part row = load(block + i * LANES, p);
            for (int k = 0; k < i; k++) row -= corner[i * LANES + k] * load(block + k * LANES, p);
            store(block + i * LANES, p, row);
        }
}

static void transpose(double *block) {
    for (int i = 1; i < LANES; i++)
        for (int j = 0; j < i; j++) {
            const double kept = block[i * LANES + j];
            block[i * LANES + j] = block[j * LANES + i];
            block[j * LANES + i] = kept;
        }
}

/* Multiplies a block, column by column, by the inverse of the corner's U from the right. */
static void divide_by_upper(const double *corner, double *block, const double *inverse_pivot) {
    for (int k = 0; k < LANES; k++)
        for (int p = 0; p < PARTS; p++) {
            part column = load(block + k * LANES, p);
            for (int other = 0; other < k; other++) column -= corner[other * LANES + k] * load(block + other * LANES, p);
            store(block + k * LANES, p, column * inverse_pivot[k]);
        }
}

/* Subtracts from c the product of m, which stands column by column, and r. */
static inline void subtract_product(double *restrict c, const double *restrict m, const double *restrict r) {
    for (int first = 0; first < LANES; first += ROWS) {
        part sums[ROWS][PARTS];
        for (int i = 0; i < ROWS; i++)
            for (int p = 0; p < PARTS; p++) sums[i][p] = load(c + (first + i) * LANES, p);
        for (int k = 0; k < LANES; k++)
            for (int p = 0; p < PARTS; p++) {
                const part row = load(r + k * LANES, p);
                for (int i = 0; i < ROWS; i++) sums[i][p] -= m[k * LANES + first + i] * row;
            }
        for (int i = 0; i < ROWS; i++)
            for (int p = 0; p < PARTS; p++) store(c + (first + i) * LANES, p, sums[i][p]);
    }
}

static void factorise_tail(double *tail, uint32_t blocks, double *inverse_pivot) {
    for (uint32_t k = 0; k < blocks; k++) {
        double *corner = block_at(tail, blocks, k, k);
        factorise_corner(corner, inverse_pivot + k * LANES);
        for (uint32_t j = k + 1; j < blocks; j++) solve_lower(corner, block_at(tail, blocks, k, j));
        for (uint32_t i = k + 1; i < blocks; i++) {
            double *multipliers = block_at(tail, blocks, i, k);
            transpose(multipliers);
            divide_by_upper(corner, multipliers, inverse_pivot + k * LANES);
            for (uint32_t j = k + 1; j < blocks; j++)
                subtract_product(block_at(tail, blocks, i, j), multipliers, block_at(tail, blocks, k, j));
        }
    }
}

static void solve_tail(double *tail, uint32_t blocks, const double *inverse_pivot, double *x) {
    for (uint32_t i = 0; i < blocks; i++) {
        double *own = x + i * LANES;
        for (int p = 0; p < PARTS; p++) {
            part sum = load(own, p);
            for (uint32_t k = 0; k < i; k++)
                for (int column = 0; column < LANES; column++)
                    sum -= x[k * LANES + column] * load(block_at(tail, blocks, i, k) + column * LANES, p);
            store(own, p, sum);
        }
        const double *corner = block_at(tail, blocks, i, i);
        for (int row = 1; row < LANES; row++)
            for (int column = 0; column < row; column++) own[row] -= corner[row * LANES + column] * own[column];
    }
    for (uint32_t i = blocks; i-- > 0;) {
        double *own = x + i * LANES;
        const double *corner = block_at(tail, blocks, i, i);
        for (int row = LANES - 1; row >= 0; row--) {
            double value = own[row], known[LANES] = {0.0};
            for (uint32_t j = i + 1; j < blocks; j++) {
                const double *u = block_at(tail, blocks, i, j) + row * LANES;
                for (int p = 0; p < PARTS; p++) store(known, p, load(known, p) + load(u, p) * load(x + j * LANES, p));
            }
            for (int lane = 0; lane < LANES; lane++) value -= known[lane];
            for (int column = row + 1; column < LANES; column++) value -= corner[row * LANES + column] * own[column];
            own[row] = value * inverse_pivot[i * LANES + row];
        }
    }
}

/* ---- the sparse part ---- */

static void eliminate_row(const elimination_plan *plan, lu_factors *factors, uint32_t i) {
    double *restrict w = factors->work;
    const uint32_t *columns = plan->upper_column.at;
    for (uint32_t p = plan->lower_start.at[i]; p < plan->lower_start.at[i + 1]; p++) {
        const uint32_t pivot = plan->lower_column.at[p], last = plan->upper_start.at[pivot + 1];
        const double multiplier = w[pivot] * factors->inverse_pivot[pivot];
        factors->lower[p] = multiplier;
        w[pivot] = 0.0;
        for (uint32_t q = plan->upper_start.at[pivot]; q < last; q++) w[columns[q]] -= multiplier * factors->upper[q];
    }
}

/* Subtracts `n_parts` vectors of the wide rows' tail at `column` from the work row. */
static inline void subtract_wide(const elimination_plan *plan, lu_factors *factors, uint32_t i, size_t column, const int n_parts) {
    const size_t width = tail_width(plan);
    double *w = factors->work + plan->n_sparse + column;
    part sums[8];
    for (int v = 0; v < n_parts; v++) sums[v] = load(w, v);
    for (uint32_t p = plan->lower_wide.at[i]; p < plan->lower_start.at[i + 1]; p++) {
        const double *row = factors->wide + (size_t)(plan->lower_column.at[p] - plan->first_wide) * width + column;
        const double multiplier = factors->lower[p];
        for (int v = 0; v < n_parts; v++) sums[v] -= multiplier * load(row, v);
    }
    for (int v = 0; v < n_parts; v++) store(w, v, sums[v]);
}

static void eliminate_in_tail(const elimination_plan *plan, lu_factors *factors, uint32_t i) {
    const size_t n_parts = tail_width(plan) / PART_LANES;
    size_t v = 0;
    for (; v + 8 <= n_parts; v += 8) subtract_wide(plan, factors, i, v * PART_LANES, 8);
    for (; v + 4 <= n_parts; v += 4) subtract_wide(plan, factors, i, v * PART_LANES, 4);
    for (; v < n_parts; v++) subtract_wide(plan, factors, i, v * PART_LANES, 1);
}

/* Moves a row of U from the work row, and leaves zeros. */
static void keep_row(const elimination_plan *plan, lu_factors *factors, uint32_t i) {
    double *w = factors->work;
    factors->inverse_pivot[i] = 1.0 / w[i];
    w[i] = 0.0;
    for (uint32_t q = plan->upper_start.at[i]; q < plan->upper_start.at[i + 1]; q++) {
        factors->upper[q] = w[plan->upper_column.at[q]];
        w[plan->upper_column.at[q]] = 0.0;
    }
    if (i >= plan->first_wide) {
        const size_t width = tail_width(plan);
        memcpy(factors->wide + (i - plan->first_wide) * width, w + plan->n_sparse, width * sizeof(double));
        memset(w + plan->n_sparse, 0, width * sizeof(double));
    }
}

/* Moves a row into the tail, and leaves zeros. */
static void store_row(const elimination_plan *plan, lu_factors *factors, uint32_t row) {
    double *from = factors->work + plan->n_sparse, *to = block_at(factors->tail, plan->blocks, row / LANES, 0) + row % LANES * LANES;
    for (uint32_t j = 0; j < plan->blocks; j++) memcpy(to + (size_t)j * BLOCK, from + j * LANES, LANES * sizeof(double));
    memset(from, 0, tail_width(plan) * sizeof(double));
}

void chemnet_factorise(const elimination_plan *plan, const double *values, double c, uint32_t n, lu_factors *factors) {
    double *w = factors->work;
    for (uint32_t i = 0; i < plan->size; i++) {
        const double scale = plan->order.at[i] < n ? -c : -1.0;
        for (uint32_t p = plan->entry_start.at[i]; p < plan->entry_start.at[i + 1]; p++)
            w[plan->entry_column.at[p]] = scale * values[plan->entry.at[p]];
        w[i] += 1.0;
        eliminate_row(plan, factors, i);
        if (plan->lower_wide.at[i] < plan->lower_start.at[i + 1]) eliminate_in_tail(plan, factors, i);
        if (i < plan->n_sparse)
            keep_row(plan, factors, i);
        else
            store_row(plan, factors, i - plan->n_sparse);
    }
    /* the tail is filled up to whole blocks with ones on the diagonal */
    for (uint32_t row = plan->size - plan->n_sparse; row < plan->blocks * LANES; row++) {
        w[plan->n_sparse + row] = 1.0;
        store_row(plan, factors, row);
    }
    factorise_tail(factors->tail, plan->blocks, factors->inverse_pivot + plan->n_sparse);
}

void chemnet_solve_factorised(const elimination_plan *plan, lu_factors *factors, double *b) {
    double *restrict x = factors->work;
    const uint32_t split = plan->n_sparse;
    const size_t width = tail_width(plan);
    for (uint32_t i = 0; i < plan->size; i++) {
        double value = b[plan->order.at[i]];
        for (uint32_t p = plan->lower_start.at[i]; p < plan->lower_start.at[i + 1]; p++)
            value -= factors->lower[p] * x[plan->lower_column.at[p]];
        x[i] = value;
    }
    solve_tail(factors->tail, plan->blocks, factors->inverse_pivot + split, x + split);
    for (uint32_t i = split; i-- > 0;) {
        double value = x[i];
        if (i >= plan->first_wide) {
            const double *row = factors->wide + (i - plan->first_wide) * width;
            double known[LANES] = {0.0};
            for (size_t j = 0; j < width; j += LANES)
                for (int lane = 0; lane < LANES; lane++) known[lane] += row[j + lane] * x[split + j + lane];
            for (int lane = 0; lane < LANES; lane++) value -= known[lane];
        }
        for (uint32_t q = plan->upper_start.at[i]; q < plan->upper_start.at[i + 1]; q++)
            value -= factors->upper[q] * x[plan->upper_column.at[q]];
        x[i] = value * factors->inverse_pivot[i];
    }
    for (uint32_t i = 0; i < plan->size; i++) b[plan->order.at[i]] = x[i];
    /* the rows that fill up the tail, too: 0 x infinity may have come to them */
    memset(x, 0, (split + width) * sizeof(double));
}
