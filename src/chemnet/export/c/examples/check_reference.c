/* check_reference WEIGHTS REFERENCE: compares this machine's answers with those that Python gave when the bundle was
 * exported. Prints the largest differences; exits with 1 when they are larger than rounding explains. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../chemnet_surrogate.h"
#include "../src/bundle_file.h"

/* [dex] of single precision inside the networks, over one step and over all, where chemistry enlarges it; relative, of
 * expected errors */
#define STEP_TOLERANCE 1e-4
#define ROLLOUT_TOLERANCE 1e-3
#define ERROR_TOLERANCE 1e-3
/* [dex] of cells whose equations were integrated: another compiler may choose other internal steps */
#define INTEGRATED_TOLERANCE 0.1
#define FLOOR 1e-20

typedef struct {
    double by_networks, by_integration; /* largest differences [dex] */
    size_t n_integrated;
} differences;

static differences compare(const double *found, const double *expected, const int32_t *flags, size_t n_cells, size_t species) {
    differences largest = {0.0, 0.0, 0};
    for (size_t cell = 0; cell < n_cells; cell++) {
        const int is_integrated = (flags[cell] & (CHEMNET_BY_SUBSTEPS | CHEMNET_BY_SOLVER | CHEMNET_NOT_CONVERGED)) != 0;
        double *worst = is_integrated ? &largest.by_integration : &largest.by_networks;
        largest.n_integrated += (size_t)is_integrated;
        for (size_t i = cell * species; i < (cell + 1) * species; i++) {
            const double a = found[i] > FLOOR ? found[i] : FLOOR, b = expected[i] > FLOOR ? expected[i] : FLOOR;
            const double off = fabs(log10(a) - log10(b));
            if (!(off <= *worst)) *worst = off;
        }
    }
    return largest;
}

static int is_close(differences found, double tolerance) {
    return found.by_networks <= tolerance && found.by_integration <= INTEGRATED_TOLERANCE;
}

static void *need(void *pointer) {
    if (pointer == NULL) exit(2);
    return pointer;
}

int main(int argc, char **argv) {
    chemnet_surrogate *surrogate;
    chemnet_workspace *workspace;
    bundle_file file;
    bundle_array start, physical, dt, step, rollout, error;
    if (argc != 3) {
        fprintf(stderr, "usage: check_reference WEIGHTS REFERENCE\n");
        return 2;
    }
    int code = chemnet_open(argv[1], &surrogate);
    if (code == CHEMNET_OK) code = chemnet_bundle_open(argv[2], &file);
    if (code != CHEMNET_OK) {
        fprintf(stderr, "%s: %s\n", argv[1], chemnet_error_text(code));
        return 2;
    }
    if (!chemnet_bundle_find(&file, "start", DOUBLES, &start) || !chemnet_bundle_find(&file, "physical", DOUBLES, &physical)
        || !chemnet_bundle_find(&file, "dt", DOUBLES, &dt) || !chemnet_bundle_find(&file, "step", DOUBLES, &step)
        || !chemnet_bundle_find(&file, "rollout", DOUBLES, &rollout) || !chemnet_bundle_find(&file, "expected_error", DOUBLES, &error)) {
        fprintf(stderr, "%s: no reference cells\n", argv[2]);
        return 2;
    }
    const size_t n = (size_t)start.shape[0], species = (size_t)start.shape[1];
    const int n_steps = (int)dt.shape[1];
    if (species != (size_t)chemnet_n_species(surrogate) || chemnet_workspace_new(surrogate, n, &workspace) != CHEMNET_OK) {
        fprintf(stderr, "%s: reference cells of another surrogate\n", argv[2]);
        return 2;
    }
    double *abundances = need(malloc(n * species * sizeof(double)));
    double *state = need(malloc(n * (size_t)chemnet_state_size(surrogate) * sizeof(double)));
    double *expected = need(malloc(n * sizeof(double))), *usual = need(malloc(n * sizeof(double)));
    int32_t *flags = need(malloc(n * sizeof(int32_t))), *all_flags = need(calloc(n, sizeof(int32_t)));
    for (size_t i = 0; i < n * species; i++) abundances[i] = ((const double *)start.values)[i];
    for (size_t i = 0; i < n; i++) usual[i] = ((const double *)dt.values)[i * (size_t)n_steps];
    chemnet_step(surrogate, workspace, n, physical.values, usual, abundances, flags, expected);
    const differences by_step = compare(abundances, step.values, flags, n, species);
    double by_trust = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double wanted = ((const double *)error.values)[i];
        const double off = wanted == expected[i] ? 0.0 : fabs(expected[i] / wanted - 1.0);
        if (chemnet_is_calibrated(surrogate) && !(off <= by_trust)) by_trust = off;
    }
    chemnet_begin(surrogate, workspace, n, start.values, state, flags);
    for (int i = 0; i < n_steps; i++) {
        chemnet_advance(surrogate, workspace, n, physical.values, usual, state, flags);
        for (size_t cell = 0; cell < n; cell++) all_flags[cell] |= flags[cell];
    }
    chemnet_read(surrogate, workspace, n, state, abundances, flags, NULL);
    const differences by_rollout = compare(abundances, rollout.values, all_flags, n, species);
    printf("cells %zu steps %d step_dex %.3g rollout_dex %.3g trust_relative %.3g", n, n_steps, by_step.by_networks,
           by_rollout.by_networks, by_trust);
    printf(" integrated %zu integrated_dex %.3g\n", by_rollout.n_integrated, fmax(by_step.by_integration, by_rollout.by_integration));
    free(abundances);
    free(state);
    free(expected);
    free(usual);
    free(flags);
    free(all_flags);
    chemnet_workspace_free(workspace);
    chemnet_close(surrogate);
    chemnet_bundle_close(&file);
    const int agrees = is_close(by_step, STEP_TOLERANCE) && is_close(by_rollout, ROLLOUT_TOLERANCE) && by_trust <= ERROR_TOLERANCE;
    return agrees ? 0 : 1;
}
