/* Included by elimination.c for one matrix (NUMBER double) and for LANES of them; OF names the functions. */
#define WIDTH (sizeof(NUMBER) / sizeof(double))

/* Subtracts the earlier rows from the work row and keeps the multipliers. */
static void OF(eliminate_row)(const elimination_plan *plan, lu_factors *factors, uint32_t i) {
    NUMBER *restrict w = (NUMBER *)factors->work, *restrict lower = (NUMBER *)factors->lower;
    const NUMBER *restrict upper = (const NUMBER *)factors->upper, *inverse_pivot = (const NUMBER *)factors->inverse_pivot;
    const uint32_t *start = plan->upper_start.at, *columns = plan->upper_column.at, last = plan->lower_start.at[i + 1];
    const NUMBER zero = {0.0};
    for (uint32_t p = plan->lower_start.at[i]; p < last; p++) {
        const uint32_t pivot = plan->lower_column.at[p], end = start[pivot + 1];
        const NUMBER multiplier = w[pivot] * inverse_pivot[pivot];
        lower[p] = multiplier;
        w[pivot] = zero;
        for (uint32_t q = start[pivot]; q < end; q++) w[columns[q]] -= multiplier * upper[q];
    }
}

/* Moves a row of U from the work row, and leaves zeros. */
static void OF(keep_row)(const elimination_plan *plan, lu_factors *factors, uint32_t i) {
    NUMBER *w = (NUMBER *)factors->work, *upper = (NUMBER *)factors->upper, zero = {0.0};
    ((NUMBER *)factors->inverse_pivot)[i] = 1.0 / w[i];
    w[i] = zero;
    for (uint32_t q = plan->upper_start.at[i]; q < plan->upper_start.at[i + 1]; q++) {
        upper[q] = w[plan->upper_column.at[q]];
        w[plan->upper_column.at[q]] = zero;
    }
}

/* Moves a row into the tails, and leaves zeros. */
static void OF(store_row)(const elimination_plan *plan, lu_factors *factors, uint32_t row) {
    double *from = factors->work + plan->n_sparse * WIDTH;
    for (size_t lane = 0; lane < WIDTH; lane++) {
        double *to = factors->tails + lane * tail_stride(plan) + (size_t)(row / SIDE) * plan->blocks * BLOCK + row % SIDE * SIDE;
        for (uint32_t j = 0; j < plan->blocks; j++)
            for (int column = 0; column < SIDE; column++) to[j * BLOCK + column] = from[(j * SIDE + column) * WIDTH + lane];
    }
    memset(from, 0, tail_width(plan) * WIDTH * sizeof(double));
}

void OF(chemnet_factorise)(const elimination_plan *plan, const double *values, const double *c, uint32_t n, const int *used,
                           lu_factors *factors) {
    NUMBER *w = (NUMBER *)factors->work;
    const NUMBER *entries = (const NUMBER *)values, step = *(const NUMBER *)c;
    const size_t width = tail_width(plan);
    for (uint32_t i = 0; i < plan->size; i++) {
        const uint32_t first = plan->entry_start.at[i], last = plan->entry_start.at[i + 1];
        if (plan->order.at[i] < n)
            for (uint32_t p = first; p < last; p++) w[plan->entry_column.at[p]] = -step * entries[plan->entry.at[p]];
        else
            for (uint32_t p = first; p < last; p++) w[plan->entry_column.at[p]] = -entries[plan->entry.at[p]];
        w[i] += 1.0;
        OF(eliminate_row)(plan, factors, i);
        if (i < plan->n_sparse)
            OF(keep_row)(plan, factors, i);
        else
            OF(store_row)(plan, factors, i - plan->n_sparse);
    }
    /* the tails are filled up to whole blocks with ones on the diagonal */
    for (uint32_t row = plan->size - plan->n_sparse; row < width; row++) {
        w[plan->n_sparse + row] += 1.0;
        OF(store_row)(plan, factors, row);
    }
    for (size_t lane = 0; lane < WIDTH; lane++)
        if (used[lane]) factorise_tail(factors->tails + lane * tail_stride(plan), plan->blocks, factors->tail_pivots + lane * width);
}

void OF(chemnet_solve)(const elimination_plan *plan, const int *used, lu_factors *factors, double *b) {
    NUMBER *restrict x = (NUMBER *)factors->work, *restrict right = (NUMBER *)b;
    const NUMBER *lower = (const NUMBER *)factors->lower, *upper = (const NUMBER *)factors->upper;
    const size_t width = tail_width(plan), split = plan->n_sparse;
    for (uint32_t i = 0; i < plan->size; i++) {
        NUMBER value = right[plan->order.at[i]];
        for (uint32_t p = plan->lower_start.at[i]; p < plan->lower_start.at[i + 1]; p++) value -= lower[p] * x[plan->lower_column.at[p]];
        x[i] = value;
    }
    for (size_t lane = 0; lane < WIDTH; lane++) {
        if (!used[lane]) continue;
        double *part = factors->tail_work, *own = factors->work + split * WIDTH + lane;
        for (size_t i = 0; i < width; i++) part[i] = own[i * WIDTH];
        solve_tail(factors->tails + lane * tail_stride(plan), plan->blocks, factors->tail_pivots + lane * width, part);
        for (size_t i = 0; i < width; i++) own[i * WIDTH] = part[i];
    }
    for (size_t i = split; i-- > 0;) {
        NUMBER value = x[i];
        for (uint32_t q = plan->upper_start.at[i]; q < plan->upper_start.at[i + 1]; q++) value -= upper[q] * x[plan->upper_column.at[q]];
        x[i] = value * ((const NUMBER *)factors->inverse_pivot)[i];
    }
    for (uint32_t i = 0; i < plan->size; i++) right[plan->order.at[i]] = x[i];
    /* the rows that fill up the tail, too: 0 x infinity may have come to them */
    memset(factors->work, 0, (split + width) * WIDTH * sizeof(double));
}

#undef WIDTH
#undef NUMBER
#undef OF
