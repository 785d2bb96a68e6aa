/* A chemical surrogate exported by chemnet, for C, C++ and (through chemnet_surrogate.f90) Fortran.
 *
 * Units: abundances relative to H nuclei, physical parameters in the units of surrogate.toml, time steps in years.
 * Arrays are row-major, cells first. Doubles at the border, floats inside the networks.
 *
 * Threads: a surrogate is read-only once opened and may be shared; each thread needs a workspace of its own.
 * Nothing is allocated after chemnet_workspace_new.
 */
#ifndef CHEMNET_SURROGATE_H
#define CHEMNET_SURROGATE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct chemnet_surrogate chemnet_surrogate;
typedef struct chemnet_workspace chemnet_workspace;

/* What a call returns; chemnet_error_text puts it into words. */
enum {
    CHEMNET_OK = 0,
    CHEMNET_NO_FILE = 1,        /* the weight file cannot be opened or read */
    CHEMNET_NOT_A_BUNDLE = 2,   /* it is no weight file of chemnet */
    CHEMNET_OTHER_FORMAT = 3,   /* written by another version, or on a machine of other byte order */
    CHEMNET_DAMAGED = 4,        /* its checksum is wrong, or a part is missing or has another size */
    CHEMNET_NO_MEMORY = 5,
    CHEMNET_TOO_MANY_CELLS = 6, /* more cells than the workspace was made for */
    CHEMNET_BAD_ARGUMENT = 7,   /* a null pointer, or a workspace of another surrogate */
    CHEMNET_OTHER_DIGEST = 8    /* the weight file belongs to another bundle than the caller expects */
};

/* What is said of each cell; 0 when nothing is. */
enum {
    CHEMNET_BAD_INPUT = 1,        /* not finite, negative, not positive where it must be: its results are NaN */
    CHEMNET_OUTSIDE_PHYSICAL = 2, /* a physical parameter is outside the range that was trained */
    CHEMNET_OUTSIDE_TOTALS = 4,   /* an element total is */
    CHEMNET_OUTSIDE_DT = 8,       /* the time step is */
    CHEMNET_BELOW_FLOOR = 16,     /* an abundance below the floor of the training was raised to it (zero, too) */
    CHEMNET_NOT_CONSERVED = 32,   /* no positive abundances have the wanted totals: its results are NaN */
    CHEMNET_BY_SUBSTEPS = 64,     /* expected to be wrong otherwise: the rate equations were integrated by sub-steps */
    CHEMNET_BY_SOLVER = 128,      /* and where these are too coarse, by a solver */
    CHEMNET_NOT_CONVERGED = 256   /* none of them came to an end: the networks' guess stands */
};

/* Opens a weight file. On failure *surrogate is NULL. */
int chemnet_open(const char *path, chemnet_surrogate **surrogate);
/* As chemnet_open, from memory that the caller keeps until chemnet_close (chemnet export --embed). */
int chemnet_open_memory(const void *bytes, size_t size, chemnet_surrogate **surrogate);
/* Refuses the weights of another bundle: `digest` is that of surrogate.toml. */
int chemnet_check_digest(const chemnet_surrogate *surrogate, const char *digest);
void chemnet_close(chemnet_surrogate *surrogate);
const char *chemnet_error_text(int code);

int chemnet_n_species(const chemnet_surrogate *surrogate);
int chemnet_n_physical(const chemnet_surrogate *surrogate);
int chemnet_n_elements(const chemnet_surrogate *surrogate);
int chemnet_n_latents(const chemnet_surrogate *surrogate);
/* Doubles per cell of the state that chemnet_begin makes: what a restart file has to hold. */
int chemnet_state_size(const chemnet_surrogate *surrogate);
/* Names, NULL outside the range. */
const char *chemnet_species(const chemnet_surrogate *surrogate, int species);
const char *chemnet_physical(const chemnet_surrogate *surrogate, int parameter);
const char *chemnet_element(const chemnet_surrogate *surrogate, int element);
/* The usual time step of the training [yr]; what a dt of NULL stands for. */
double chemnet_usual_dt(const chemnet_surrogate *surrogate);
/* Whether chemnet_step can say what error is expected. */
int chemnet_is_calibrated(const chemnet_surrogate *surrogate);

int chemnet_workspace_new(const chemnet_surrogate *surrogate, size_t most_cells, chemnet_workspace **workspace);
void chemnet_workspace_free(chemnet_workspace *workspace);

/* One step of each cell from its abundances: what Surrogate.step of Python does.
 *
 * physical        (n_cells, n_physical): holds during the step
 * dt              (n_cells) [yr], or NULL for the usual one
 * abundances      (n_cells, n_species): in: at the start, out: at the end; each element keeps its total
 * flags           (n_cells) or NULL
 * expected_error  (n_cells) [dex], or NULL; infinite outside what was trained, NaN where flags say BAD_INPUT
 */
int chemnet_step(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                 const double *physical, const double *dt, double *abundances, int32_t *flags,
                 double *expected_error);

/* Atoms of each element per H nucleus, (n_cells, n_elements), of abundances (n_cells, n_species). */
int chemnet_totals(const chemnet_surrogate *surrogate, size_t n_cells, const double *abundances, double *totals);
/* Brings abundances (n_cells, n_species) to totals (n_cells, n_elements) [atoms per H nucleus], as a grid needs whose
 * advection broke them: each step keeps the totals of what it is given. No network takes part. */
int chemnet_conserve(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                     const double *totals, double *abundances, int32_t *flags);

/* Many steps with one state carried through them, as Surrogate.emulate does: the networks never see the corrected
 * abundances, so that no error of encoding or correcting adds up. The state is what a restart needs. */
int chemnet_begin(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                  const double *abundances, double *state, int32_t *flags);
int chemnet_advance(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                    const double *physical, const double *dt, double *state, int32_t *flags);
int chemnet_read(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                 const double *state, double *abundances, int32_t *flags, double *expected_error);

/* For codes that advect latents: (n_cells, n_latents). decode conserves nothing; latents of a memory-less emulator only. */
int chemnet_encode(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                   const double *abundances, double *latents, int32_t *flags);
int chemnet_decode(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                   const double *latents, double *abundances, int32_t *flags);
int chemnet_latent_step(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                        const double *physical, const double *dt, double *latents, int32_t *flags);

#ifdef __cplusplus
}
#endif

#endif
