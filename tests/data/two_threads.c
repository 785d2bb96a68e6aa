/* two_threads WEIGHTS REFERENCE: two threads make the same steps with one surrogate. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "chemnet_surrogate.h"
#include "src/bundle_file.h"

static chemnet_surrogate *surrogate;
static bundle_array start, physical;

static void *step(void *abundances) {
    chemnet_workspace *workspace;
    if (chemnet_workspace_new(surrogate, start.shape[0], &workspace)) return NULL;
    for (int i = 0; i < 3; i++)
        if (chemnet_step(surrogate, workspace, start.shape[0], physical.values, NULL, abundances, NULL, NULL)) return NULL;
    chemnet_workspace_free(workspace);
    return abundances;
}

int main(int argc, char **argv) {
    bundle_file file;
    pthread_t threads[2];
    double *abundances[2];
    void *done[2];
    if (argc != 3 || chemnet_open(argv[1], &surrogate) || chemnet_bundle_open(argv[2], &file)) return 2;
    chemnet_bundle_find(&file, "start", DOUBLES, &start);
    chemnet_bundle_find(&file, "physical", DOUBLES, &physical);
    for (int i = 0; i < 2; i++) {
        abundances[i] = malloc(start.count * sizeof(double));
        memcpy(abundances[i], start.values, start.count * sizeof(double));
        if (pthread_create(&threads[i], NULL, step, abundances[i])) return 2;
    }
    for (int i = 0; i < 2; i++) pthread_join(threads[i], &done[i]);
    puts(done[0] && done[1] && memcmp(abundances[0], abundances[1], start.count * sizeof(double)) == 0 ? "alike" : "apart");
    return 0;
}
