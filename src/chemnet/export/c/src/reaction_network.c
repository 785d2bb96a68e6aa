#include "reaction_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../chemnet_surrogate.h"

#define MOST_SPECIES 8192
#define MOST_REACTIONS 1048576
#define LARGEST_FORMULA 21
#define EXPRESSION 3
#define STANDARD_DUST_TO_GAS 0.01

/* the first failure stays, so that readers need no check of their own */
typedef struct {
    const bundle_file *file;
    int code;
} reader;

static void refuse(reader *r, int code) {
    if (r->code == CHEMNET_OK) r->code = code;
}

static void need(reader *r, int is_sound) {
    if (!is_sound) refuse(r, CHEMNET_DAMAGED);
}

static int find(const reader *r, const char *name, array_kind kind, bundle_array *array) {
    char full[48];
    snprintf(full, sizeof full, "step.%s", name);
    return chemnet_bundle_find(r->file, full, kind, array);
}

static const double *doubles(reader *r, const char *name, size_t count) {
    bundle_array array;
    if (find(r, name, DOUBLES, &array) && array.count == count) return array.values;
    refuse(r, CHEMNET_DAMAGED);
    return NULL;
}

static double one_double(reader *r, const char *name) {
    const double *value = doubles(r, name, 1);
    return value == NULL ? 0.0 : *value;
}

/* A whole number from `least` to `most`. */
static int64_t number(reader *r, const char *name, int64_t least, int64_t most) {
    bundle_array array;
    const int found = find(r, name, INTEGERS, &array) && array.count == 1;
    const int64_t value = found ? *(const int64_t *)array.values : least - 1;
    if (value >= least && value <= most) return value;
    refuse(r, CHEMNET_DAMAGED);
    return least;
}

/* Row `row` of `n_rows` with `count` positions each, or with any number of them where it is -1; all below `limit`. */
static place_list row_of_places(reader *r, const char *name, int row, int n_rows, int64_t count, int64_t limit) {
    place_list list = {NULL, 0};
    bundle_array array;
    if (!find(r, name, INTEGERS, &array) || array.count % (size_t)n_rows || array.count > UINT32_MAX / 8) {
        refuse(r, CHEMNET_DAMAGED);
        return list;
    }
    const size_t found = array.count / (size_t)n_rows;
    const int64_t *values = (const int64_t *)array.values + (size_t)row * found;
    list.at = malloc((found + 1) * sizeof(uint32_t));
    if (list.at == NULL || (count >= 0 && found != (size_t)count)) {
        refuse(r, list.at == NULL ? CHEMNET_NO_MEMORY : CHEMNET_DAMAGED);
        return list;
    }
    list.count = (uint32_t)found;
    for (size_t i = 0; i < found; i++) {
        need(r, values[i] >= 0 && values[i] < limit);
        list.at[i] = (uint32_t)values[i];
    }
    return list;
}

static place_list places(reader *r, const char *name, int64_t count, int64_t limit) {
    return row_of_places(r, name, 0, 1, count, limit);
}

/* Where each of `n` groups of `n_members` begins; the last number is where the last one ends. */
static place_list starts(reader *r, const char *name, int64_t n, uint32_t n_members) {
    place_list list = places(r, name, n + 1, (int64_t)n_members + 1);
    if (r->code == CHEMNET_OK) {
        need(r, list.at[0] == 0 && list.at[n] == n_members);
        for (int64_t i = 0; i < n; i++) need(r, list.at[i] <= list.at[i + 1]);
    }
    return list;
}

static signed_sum read_sum(reader *r, const char *name, uint32_t n_outputs, int64_t n_terms) {
    char full[40];
    signed_sum sum;
    memset(&sum, 0, sizeof sum);
    sum.n_outputs = n_outputs;
#define PART(part) (snprintf(full, sizeof full, "problem.equations.%s." part, name), full)
    sum.terms = places(r, PART("terms"), -1, n_terms);
    sum.start = starts(r, PART("start"), n_outputs, sum.terms.count);
    sum.turn = places(r, PART("turn"), n_outputs, (int64_t)sum.terms.count + 1);
    sum.n_copied = (uint32_t)number(r, PART("n_copied"), 0, n_outputs);
    sum.n_negated = (uint32_t)number(r, PART("n_negated"), 0, (int64_t)n_outputs - sum.n_copied);
#undef PART
    for (uint32_t e = 0; r->code == CHEMNET_OK && e < n_outputs; e++) {
        need(r, sum.turn.at[e] >= sum.start.at[e] && sum.turn.at[e] <= sum.start.at[e + 1]);
        if (e < sum.n_copied + sum.n_negated) need(r, sum.start.at[e] < sum.terms.count);
    }
    return sum;
}

static void read_rates(reader *r, reaction_network *net) {
    bundle_array integers, runs, grid;
    const int found = find(r, "problem.rates.integers", INTEGERS, &integers) && integers.shape[0] == 3
                      && find(r, "problem.rates.runs", INTEGERS, &runs) && runs.count == N_RUNS
                      && find(r, "problem.rates.co_grid", DOUBLES, &grid);
    need(r, found && integers.shape[1] >= 1 && integers.shape[1] <= MOST_REACTIONS && grid.count >= 2
                && grid.count <= MOST_CO_KNOTS);
    if (r->code != CHEMNET_OK) return;
    const uint32_t m = net->n_reactions = (uint32_t)integers.shape[1];
    net->n_co = (uint32_t)grid.count;
    net->co_grid = grid.values;
    net->co_shielding = doubles(r, "problem.rates.co_shielding", net->n_co * H2_KNOTS);
    net->co_curvature = doubles(r, "problem.rates.co_curvature", net->n_co * H2_KNOTS);
    net->parameters = doubles(r, "problem.rates.parameters", (size_t)N_PARAMETERS * m);
    net->formula = row_of_places(r, "problem.rates.integers", 0, 3, m, LARGEST_FORMULA + 1);
    net->density_power = row_of_places(r, "problem.rates.integers", 1, 3, m, 3);
    const int64_t *run = runs.values;
    for (int k = 0; k < N_RUNS; k++) {
        need(r, run[k] >= (k ? run[k - 1] : 0) && run[k] <= m);
        net->run[k] = (uint32_t)run[k];
    }
    need(r, run[0] == 0);
    for (uint32_t i = 0; r->code == CHEMNET_OK && i < m; i++) need(r, net->formula.at[i] != EXPRESSION);
}

static void read_equations(reader *r, reaction_network *net) {
    const int64_t n = net->n = (uint32_t)number(r, "problem.equations.n", 1, MOST_SPECIES), m = net->n_reactions;
    net->n_border = (uint32_t)number(r, "problem.equations.n_border", 0, 4);
    need(r, net->n_border == 0 || net->n_border == 1 || net->n_border == 4);
    net->n_swap = (uint32_t)number(r, "problem.equations.n_swap", 0, m);
    net->n_entries = (uint32_t)number(r, "problem.equations.n_entries", 1, 16777216);
    net->electron = (int)number(r, "problem.equations.electron", -1, n - 1);
    net->monolayer = one_double(r, "problem.equations.monolayer");
    need(r, net->monolayer > 0.0);
    for (int k = 0; k < 3; k++) net->reactant[k] = row_of_places(r, "problem.equations.reactants", k, 4, m, n + 2);
    net->factor = row_of_places(r, "problem.equations.reactants", 3, 4, m, N_FACTORS);
    net->surface = places(r, "problem.equations.surface", -1, n);
    net->bulk = places(r, "problem.equations.bulk", -1, n);
    net->scaled = places(r, "problem.equations.scaled", -1, m);
    net->ternary = places(r, "problem.equations.ternary", -1, m);
    net->further = places(r, "problem.equations.further", -1, m > 4 ? m : 4);
    need(r, net->further.count % 2 == 0);
    for (uint32_t i = 0; r->code == CHEMNET_OK && i < net->further.count; i += 2)
        need(r, net->further.at[i] < m && net->further.at[i + 1] < 4);
    net->ones = places(r, "problem.equations.ones", -1, net->n_entries);
    if (net->n_border == 4) {
        net->under = places(r, "problem.equations.under", net->surface.count, n);
        net->shift = places(r, "problem.equations.shift", 10 * (int64_t)net->surface.count, net->n_entries);
    }
    net->flow = read_sum(r, "flow", net->n + 4, m);
    net->assembly = read_sum(r, "assembly", net->n_entries, 2 * m + net->further.count / 2);
}

static void read_plan(reader *r, reaction_network *net) {
    elimination_plan *plan = &net->plan;
    const int64_t size = (int64_t)net->n + net->n_border;
    plan->size = (uint32_t)number(r, "problem.plan.size", size, size);
    plan->n_sparse = (uint32_t)number(r, "problem.plan.n_sparse", 0, size);
    plan->blocks = (plan->size - plan->n_sparse + 7) / 8;
    plan->order = places(r, "problem.plan.order", size, size);
    plan->entry = places(r, "problem.plan.entry", net->n_entries, net->n_entries);
    plan->entry_column = places(r, "problem.plan.entry_column", net->n_entries, size);
    plan->entry_start = starts(r, "problem.plan.entry_start", size, net->n_entries);
    plan->lower_column = places(r, "problem.plan.lower_column", -1, plan->n_sparse);
    plan->lower_start = starts(r, "problem.plan.lower_start", size, plan->lower_column.count);
    plan->upper_column = places(r, "problem.plan.whole_column", -1, size);
    plan->upper_start = starts(r, "problem.plan.whole_start", plan->n_sparse, plan->upper_column.count);
}

static void read_switches(reader *r, reaction_network *net) {
    const int64_t n = net->n, m = net->n_reactions;
    net->is_compatible = (int)number(r, "switches.compatible", 0, 1);
    net->carbon = (int)number(r, "switches.carbon", -1, n - 1);
    net->evaporating = places(r, "switches.evaporating", -1, m);
    net->freezing = places(r, "switches.freezing", -1, m);
    net->partners = places(r, "switches.partners", net->freezing.count, m);
    net->freezes = places(r, "switches.freezes", net->freezing.count, n);
}

static void read_totals(reader *r, reaction_network *net) {
    bundle_array kept, watched;
    const int found = find(r, "invariants", DOUBLES, &kept) && find(r, "watched", DOUBLES, &watched);
    need(r, found && kept.shape[0] == net->n && kept.shape[1] <= MOST_TOTALS && watched.shape[0] == net->n
                && watched.shape[1] <= MOST_TOTALS);
    if (r->code != CHEMNET_OK) return;
    net->n_invariants = (uint32_t)kept.shape[1];
    net->n_watched = (uint32_t)watched.shape[1];
    net->invariants = kept.values;
    net->watched = watched.values;
}

int chemnet_network_read(const bundle_file *file, reaction_network *net) {
    reader r = {file, CHEMNET_OK};
    memset(net, 0, sizeof *net);
    read_rates(&r, net);
    if (r.code == CHEMNET_OK) read_equations(&r, net);
    if (r.code == CHEMNET_OK) read_plan(&r, net);
    if (r.code == CHEMNET_OK) read_switches(&r, net);
    if (r.code == CHEMNET_OK) read_totals(&r, net);
    const double *range = doubles(&r, "temperatures", 2), dust_to_gas = one_double(&r, "dust_to_gas");
    need(&r, dust_to_gas > 0.0);
    if (r.code == CHEMNET_OK) {
        net->lowest = range[0];
        net->highest = range[1];
        net->nuclei_per_av = STANDARD_DUST_TO_GAS / dust_to_gas;
    } else {
        chemnet_network_free(net);
    }
    return r.code;
}

void chemnet_network_free(reaction_network *net) {
    elimination_plan *plan = &net->plan;
    place_list *all[] = {
        &net->formula, &net->density_power, &net->reactant[0], &net->reactant[1], &net->reactant[2], &net->factor,
        &net->surface, &net->bulk, &net->under, &net->scaled, &net->ternary, &net->further, &net->shift, &net->ones,
        &net->flow.start, &net->flow.turn, &net->flow.terms, &net->assembly.start, &net->assembly.turn, &net->assembly.terms,
        &plan->order, &plan->entry_start, &plan->entry, &plan->entry_column, &plan->lower_start,
        &plan->lower_column, &plan->upper_start, &plan->upper_column, &net->evaporating, &net->freezing, &net->partners,
        &net->freezes,
    };
    for (size_t k = 0; k < sizeof all / sizeof all[0]; k++) free(all[k]->at);
    memset(net, 0, sizeof *net);
}
