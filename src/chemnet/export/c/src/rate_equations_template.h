/* Included by rate_equations.c for one cell (NUMBER double) and for LANES of them; OF names the functions. */
#define WIDTH (sizeof(NUMBER) / sizeof(double))

/* Fills what one cell's abundances decide: what limits freezing ions, and the factors, with their derivatives. */
static void OF(set_state)(const reaction_network *net, equation_arrays *eq, size_t lane) {
    const size_t n = net->n;
    double *x = eq->x + lane, *dx = eq->dx + lane, f[4][N_FACTORS] = {{1.0}};
    x[n * WIDTH] = 1.0;
    dx[n * WIDTH] = 0.0;
    x[(n + 1) * WIDTH] = dx[(n + 1) * WIDTH] = 1.0;
    if (net->electron >= 0) {
        const double electrons = x[(size_t)net->electron * WIDTH], sum = electrons + ELECTRON_LIMIT;
        x[(n + 1) * WIDTH] = electrons > 0.0 ? electrons / sum : electrons / ELECTRON_LIMIT;
        dx[(n + 1) * WIDTH] = electrons > 0.0 ? ELECTRON_LIMIT / (sum * sum) : 1.0 / ELECTRON_LIMIT;
    }
    const double surface = total(x, WIDTH, &net->surface);
    if (net->n_border == 4) {
        double swap = 0.0;
        for (uint32_t r = 0; r < net->n_swap; r++) swap += eq->k[r * WIDTH + lane] * x[net->reactant[0].at[r] * WIDTH];
        three_phase_factors(net, surface, total(x, WIDTH, &net->bulk), swap, f);
    } else {
        two_phase_factors(net, surface, f);
    }
    for (size_t i = 0; i < 4 * N_FACTORS; i++) eq->factor[i * WIDTH + lane] = f[i / N_FACTORS][i % N_FACTORS];
}

static void OF(fill_fluxes)(const reaction_network *net, equation_arrays *eq) {
    const uint32_t *a = net->reactant[0].at, *b = net->reactant[1].at, *c = net->reactant[2].at, *f = net->factor.at;
    const NUMBER *restrict k = (const NUMBER *)eq->k, *restrict x = (const NUMBER *)eq->x, *factor = (const NUMBER *)eq->factor;
    NUMBER *restrict flux = (NUMBER *)eq->terms;
    for (uint32_t r = 0; r < net->n_reactions; r++) flux[r] = k[r] * x[a[r]] * x[b[r]];
    for (uint32_t i = 0; i < net->scaled.count; i++) flux[net->scaled.at[i]] *= factor[f[net->scaled.at[i]]];
    for (uint32_t i = 0; i < net->ternary.count; i++) flux[net->ternary.at[i]] *= x[c[net->ternary.at[i]]];
}

static void OF(fill_flux_derivatives)(const reaction_network *net, equation_arrays *eq) {
    const uint32_t m = net->n_reactions, *a = net->reactant[0].at, *b = net->reactant[1].at, *c = net->reactant[2].at;
    const NUMBER *restrict k = (const NUMBER *)eq->k, *restrict x = (const NUMBER *)eq->x, *restrict dx = (const NUMBER *)eq->dx;
    const NUMBER *factor = (const NUMBER *)eq->factor;
    NUMBER *restrict first = (NUMBER *)eq->terms, *restrict second = first + m, *restrict further = second + m;
    for (uint32_t r = 0; r < m; r++) {
        first[r] = k[r] * dx[a[r]] * x[b[r]];
        second[r] = k[r] * x[a[r]] * dx[b[r]];
    }
    for (uint32_t i = 0; i < net->scaled.count; i++) {
        const uint32_t r = net->scaled.at[i];
        first[r] *= factor[net->factor.at[r]];
        second[r] *= factor[net->factor.at[r]];
    }
    for (uint32_t i = 0; i < net->ternary.count; i++) {
        const uint32_t r = net->ternary.at[i];
        first[r] *= x[c[r]];
        second[r] *= x[c[r]];
    }
    for (uint32_t i = 0; i < net->further.count / 2; i++) {
        const uint32_t r = net->further.at[2 * i], slot = net->further.at[2 * i + 1], f = net->factor.at[r];
        const NUMBER bare = k[r] * x[a[r]] * x[b[r]];
        further[i] = slot == THIRD_REACTANT ? bare * factor[f] : bare * x[c[r]] * factor[(1 + slot) * N_FACTORS + f];
    }
}

static void OF(sum_terms)(const signed_sum *sums, const double *all_terms, double *output) {
    const uint32_t copied = sums->n_copied, simple = copied + sums->n_negated, *at = sums->terms.at;
    const uint32_t *start = sums->start.at, *turn = sums->turn.at;
    const NUMBER *restrict terms = (const NUMBER *)all_terms;
    NUMBER *restrict out = (NUMBER *)output;
    for (uint32_t e = 0; e < copied; e++) out[e] = terms[at[e]];
    for (uint32_t e = copied; e < simple; e++) out[e] = -terms[at[e]];
    for (uint32_t e = simple; e < sums->n_outputs; e++) {
        NUMBER sum = {0.0};
        for (uint32_t p = start[e]; p < turn[e]; p++) sum += terms[at[p]];
        for (uint32_t p = turn[e]; p < start[e + 1]; p++) sum -= terms[at[p]];
        out[e] = sum;
    }
}

/* What the shift of one cell's layers is proportional to, as the surface as a whole gains or loses (Garrod & Pauly 2011). */
static void OF(set_shift)(const reaction_network *net, equation_arrays *eq, size_t lane) {
    const double surface = total(eq->x + lane, WIDTH, &net->surface), bulk = total(eq->x + lane, WIDTH, &net->bulk);
    const double gain = eq->rate[(net->n + 3) * WIDTH + lane], larger = surface > bulk ? surface : bulk;
    const double layer_gain = 0.5 / net->monolayer;
    double shift[N_SHIFTS] = {0.0};
    if (gain >= 0.0) {
        shift[BY_TOP] = gain * layer_gain;
        shift[TOP_BY_GAIN] = layer_gain;
    } else {
        shift[BY_LOW] = gain / larger;
        shift[LOW_BY_GAIN] = 1.0 / larger;
        shift[surface > bulk ? LOW_BY_SURFACE : LOW_BY_BULK] = -gain / (larger * larger);
    }
    for (int i = 0; i < N_SHIFTS; i++) eq->shift[(size_t)i * WIDTH + lane] = shift[i];
}

void OF(chemnet_derivatives)(const reaction_network *net, equation_arrays *eq) {
    for (size_t lane = 0; lane < WIDTH; lane++) OF(set_state)(net, eq, lane);
    OF(fill_fluxes)(net, eq);
    OF(sum_terms)(&net->flow, eq->terms, eq->rate);
    if (net->n_border != 4) return;
    for (size_t lane = 0; lane < WIDTH; lane++) OF(set_shift)(net, eq, lane);
    const NUMBER *x = (const NUMBER *)eq->x, *shift = (const NUMBER *)eq->shift;
    NUMBER *rate = (NUMBER *)eq->rate;
    for (uint32_t s = 0; s < net->surface.count; s++) {
        const uint32_t top = net->surface.at[s], low = net->under.at[s];
        const NUMBER buried = shift[BY_TOP] * x[top] + shift[BY_LOW] * x[low];
        rate[top] -= buried;
        rate[low] += buried;
    }
}

void OF(chemnet_jacobian)(const reaction_network *net, equation_arrays *eq) {
    NUMBER *values = (NUMBER *)eq->values;
    const NUMBER *x = (const NUMBER *)eq->x, *shift = (const NUMBER *)eq->shift, zero = {0.0};
    OF(fill_flux_derivatives)(net, eq);
    OF(sum_terms)(&net->assembly, eq->terms, eq->values);
    for (uint32_t i = 0; i < net->ones.count; i++) values[net->ones.at[i]] = zero + 1.0;
    for (uint32_t s = 0; net->n_border == 4 && s < net->surface.count; s++) {
        const NUMBER top = x[net->surface.at[s]], low = x[net->under.at[s]];
        const NUMBER by[5] = {shift[BY_TOP], shift[BY_LOW], shift[TOP_BY_GAIN] * top + shift[LOW_BY_GAIN] * low,
                              shift[LOW_BY_SURFACE] * low, shift[LOW_BY_BULK] * low};
        const uint32_t *place = net->shift.at + 10 * s;
        for (int column = 0; column < 5; column++) {
            values[place[column]] -= by[column];
            values[place[column + 5]] += by[column];
        }
    }
}

#undef WIDTH
#undef NUMBER
#undef OF
