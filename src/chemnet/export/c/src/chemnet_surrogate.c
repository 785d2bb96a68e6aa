#include "../chemnet_surrogate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bundle_file.h"
#include "conservation.h"
#include "elementary.h"
#include "emulator.h"
#include "implicit_emulator.h"
#include "perceptron.h"
#include "trust.h"

#define MOST_MEMBERS 16
#define MOST_NAMES 8192
/* cells that are computed together: their layers stay in the cache */
#define BLOCK 96
/* slack of the trained ranges; as in chemnet.surrogate.trust.trained_ranges */
#define PHYSICAL_SLACK 1e-4
#define COMPOSITION_SLACK 0.02
/* H nuclei per H nucleus are 1; beyond this the abundances cannot be what they are said to be */
#define LEAST_HYDROGEN 0.8
#define MOST_HYDROGEN 1.2
/* scaled parameters are held in the trained range and this much beyond it */
#define PHYSICAL_MARGIN 0.05
#define SMALLEST 1e-20

typedef struct {
    int count;
    char **names;
    char *text;
} name_list;

struct chemnet_surrogate {
    bundle_file file;
    name_list species, elements, physical;
    char digest[65];
    int n_members, is_direct, hydrogen, is_neutral;
    double decades, usual_dt;
    const double *atoms;           /* (n_elements, n_species), and charges (n_species) behind it where is_neutral */
    const double *domain_physical; /* (2, n_physical) */
    const double *scaling;         /* (2, n_physical): log10 of the least, and decades of the range */
    const double *domain_totals;   /* (2, n_elements) */
    double dt_min, dt_max;
    emulator members[MOST_MEMBERS];
    implicit_emulator implicit; /* of a surrogate whose only member is of that kind */
    perceptron encoders[MOST_MEMBERS], decoders[MOST_MEMBERS];
    trust_model trust;
    int n_latents, n_memory; /* of all members together */
};

struct chemnet_workspace {
    const chemnet_surrogate *owner;
    size_t most_cells;
    double *state, *usual_dt; /* of one block */
    double *abundances, *conserving, *distances;
    float *scaled, *latents, *memory, *scratch;
    int32_t *flags;
    implicit_workspace implicit;
};

/* ---- the state of a cell: totals, latents of every member (standardised), their memory, and what trust needs ---- */

enum { START_ERROR_AT = 0, AGE_AT = 1, OUTSIDE_AT = 2, SIGNS_AT = 3 };
/* what an implicit emulator says of its error: the last update, the expected error of the last step, and of all together */
enum { UPDATE_SIGN = 0, STEP_SIGN = 1, ALL_STEPS_SIGN = 2, N_SIGNS = 3 };

static int n_s(const chemnet_surrogate *s) { return s->species.count; }
static int n_p(const chemnet_surrogate *s) { return s->physical.count; }
static int n_e(const chemnet_surrogate *s) { return s->elements.count; }
static size_t latents_at(const chemnet_surrogate *s) { return (size_t)n_e(s); }
static size_t memory_at(const chemnet_surrogate *s) { return latents_at(s) + (size_t)s->n_latents; }
static size_t own_at(const chemnet_surrogate *s) { return memory_at(s) + (size_t)s->n_memory; }
static int n_signs(const chemnet_surrogate *s) { return s->implicit.is_there ? N_SIGNS : 0; }
static size_t forcing_at(const chemnet_surrogate *s) { return own_at(s) + SIGNS_AT + (size_t)n_signs(s); }
static size_t state_size(const chemnet_surrogate *s) { return forcing_at(s) + (size_t)n_p(s); }

/* ---- opening ---- */

static int read_names(const bundle_file *file, const char *name, name_list *list) {
    bundle_array text;
    if (!chemnet_bundle_find(file, name, TEXT, &text) || text.count < 1) return CHEMNET_DAMAGED;
    list->text = malloc(text.count + 1);
    if (list->text == NULL) return CHEMNET_NO_MEMORY;
    memcpy(list->text, text.values, text.count);
    list->text[text.count] = '\0';
    list->count = 1;
    for (size_t i = 0; i < text.count; i++) list->count += list->text[i] == '\n';
    if (list->count > MOST_NAMES) return CHEMNET_DAMAGED;
    list->names = malloc((size_t)list->count * sizeof(char *));
    if (list->names == NULL) return CHEMNET_NO_MEMORY;
    char *at = list->text;
    for (int i = 0; i < list->count; i++) {
        list->names[i] = at;
        char *end = strchr(at, '\n');
        if (end != NULL) {
            *end = '\0';
            at = end + 1;
        }
    }
    return CHEMNET_OK;
}

static const double *doubles(const bundle_file *file, const char *name, size_t count) {
    bundle_array array;
    return chemnet_bundle_find(file, name, DOUBLES, &array) && array.count == count ? array.values : NULL;
}

static int read_numbers(chemnet_surrogate *s) {
    const size_t species = (size_t)n_s(s), physical = (size_t)n_p(s), elements = (size_t)n_e(s);
    const double *general = doubles(&s->file, "general", 4);
    s->atoms = doubles(&s->file, "atoms_and_charges", (elements + 1) * species);
    s->is_neutral = s->atoms != NULL;
    if (!s->is_neutral) s->atoms = doubles(&s->file, "atoms", elements * species);
    s->domain_physical = doubles(&s->file, "domain.physical", 2 * physical);
    s->scaling = doubles(&s->file, "scaling.physical", 2 * physical);
    s->domain_totals = doubles(&s->file, "domain.totals", 2 * elements);
    if (!general || !s->atoms || !s->domain_physical || !s->scaling || !s->domain_totals || elements >= MOST_ELEMENTS)
        return CHEMNET_DAMAGED;
    s->decades = general[0];
    s->usual_dt = general[1];
    s->dt_min = general[2];
    s->dt_max = general[3];
    s->hydrogen = -1;
    for (int e = 0; e < n_e(s); e++)
        if (strcmp(s->elements.names[e], "H") == 0) s->hydrogen = e;
    /* workspaces have room for the species of a cell, which its parameters share */
    return s->decades > 0.0 && s->decades <= 37.0 && physical <= species ? CHEMNET_OK : CHEMNET_DAMAGED;
}

static int last_width(const perceptron *net) { return net->layers[net->n_layers - 1].n_out; }

static int read_coders(chemnet_surrogate *s, int member) {
    char name[48] = "member0.encoder";
    name[6] = (char)('0' + member);
    const int n = s->members[member].n_latents;
    if (s->is_direct) return n == n_s(s) ? CHEMNET_OK : CHEMNET_DAMAGED;
    int code = chemnet_perceptron_read(&s->file, name, &s->encoders[member]);
    memcpy(name + 8, "decoder", 8);
    if (code == CHEMNET_OK) code = chemnet_perceptron_read(&s->file, name, &s->decoders[member]);
    if (code != CHEMNET_OK) return code;
    const perceptron *encoder = &s->encoders[member], *decoder = &s->decoders[member];
    const int fits = encoder->layers[0].n_in == n_s(s) && last_width(encoder) >= n && decoder->layers[0].n_in == n
                     && last_width(decoder) >= n_s(s);
    return fits ? CHEMNET_OK : CHEMNET_DAMAGED;
}

static int read_members(chemnet_surrogate *s) {
    bundle_array form;
    if (!chemnet_bundle_find(&s->file, "form", INTEGERS, &form) || form.count != 2) return CHEMNET_DAMAGED;
    const int64_t *numbers = form.values;
    if (numbers[0] < 1 || numbers[0] > 9) return CHEMNET_DAMAGED;
    s->n_members = (int)numbers[0];
    s->is_direct = numbers[1] != 0;
    for (int m = 0; m < s->n_members; m++) {
        int code = chemnet_emulator_read(&s->file, m, n_p(s), &s->members[m]);
        if (code == CHEMNET_OK && s->members[m].kind == IMPLICIT && (s->n_members > 1 || !s->is_direct)) code = CHEMNET_DAMAGED;
        if (code == CHEMNET_OK) code = read_coders(s, m);
        if (code != CHEMNET_OK) return code;
        s->n_latents += s->members[m].n_latents;
        s->n_memory += s->members[m].n_memory;
    }
    if (s->n_latents > s->n_members * n_s(s)) return CHEMNET_DAMAGED;
    const int code = chemnet_implicit_read(&s->file, &s->members[0], n_p(s), s->decades, &s->implicit);
    if (code != CHEMNET_OK) return code;
    return chemnet_trust_read(&s->file, s->n_latents + n_p(s), n_p(s), s->n_members, n_signs(s), &s->trust);
}

static int read_all(chemnet_surrogate *s) {
    bundle_array digest;
    int code = read_names(&s->file, "species", &s->species);
    if (code == CHEMNET_OK) code = read_names(&s->file, "elements", &s->elements);
    if (code == CHEMNET_OK) code = read_names(&s->file, "physical", &s->physical);
    if (code == CHEMNET_OK) code = read_numbers(s);
    if (code == CHEMNET_OK) code = read_members(s);
    if (code == CHEMNET_OK && chemnet_bundle_find(&s->file, "digest", TEXT, &digest) && digest.count < sizeof s->digest)
        memcpy(s->digest, digest.values, digest.count);
    return code;
}

static int opened(chemnet_surrogate *s, int code, chemnet_surrogate **surrogate) {
    if (code == CHEMNET_OK) code = read_all(s);
    if (code != CHEMNET_OK) {
        chemnet_close(s);
        return code;
    }
    *surrogate = s;
    return CHEMNET_OK;
}

int chemnet_open(const char *path, chemnet_surrogate **surrogate) {
    if (surrogate == NULL) return CHEMNET_BAD_ARGUMENT;
    *surrogate = NULL;
    chemnet_surrogate *s = calloc(1, sizeof *s);
    return s == NULL ? CHEMNET_NO_MEMORY : opened(s, chemnet_bundle_open(path, &s->file), surrogate);
}

int chemnet_open_memory(const void *bytes, size_t size, chemnet_surrogate **surrogate) {
    if (surrogate == NULL) return CHEMNET_BAD_ARGUMENT;
    *surrogate = NULL;
    chemnet_surrogate *s = calloc(1, sizeof *s);
    return s == NULL ? CHEMNET_NO_MEMORY : opened(s, chemnet_bundle_open_memory(bytes, size, &s->file), surrogate);
}

int chemnet_check_digest(const chemnet_surrogate *surrogate, const char *digest) {
    if (surrogate == NULL || digest == NULL) return CHEMNET_BAD_ARGUMENT;
    return strcmp(surrogate->digest, digest) == 0 ? CHEMNET_OK : CHEMNET_OTHER_DIGEST;
}

static void free_names(name_list *list) {
    free(list->names);
    free(list->text);
}

void chemnet_close(chemnet_surrogate *surrogate) {
    if (surrogate == NULL) return;
    for (int m = 0; m < MOST_MEMBERS; m++) {
        chemnet_emulator_free(&surrogate->members[m]);
        chemnet_perceptron_free(&surrogate->encoders[m]);
        chemnet_perceptron_free(&surrogate->decoders[m]);
    }
    chemnet_implicit_free(&surrogate->implicit);
    chemnet_trust_free(&surrogate->trust);
    free_names(&surrogate->species);
    free_names(&surrogate->elements);
    free_names(&surrogate->physical);
    chemnet_bundle_close(&surrogate->file);
    free(surrogate);
}

const char *chemnet_error_text(int code) {
    static const char *const texts[] = {
        "no error",
        "the weight file cannot be opened or read",
        "the file is no weight file of chemnet",
        "the weight file has another format or byte order: export the surrogate again",
        "the weight file is damaged: its checksum or a part of it is wrong; copy or export it again",
        "no memory",
        "more cells than the workspace was made for",
        "a null pointer, or a workspace of another surrogate",
        "the weight file belongs to another bundle",
    };
    return code >= 0 && code < (int)(sizeof texts / sizeof texts[0]) ? texts[code] : "no code of chemnet";
}

int chemnet_n_species(const chemnet_surrogate *surrogate) { return n_s(surrogate); }
int chemnet_n_physical(const chemnet_surrogate *surrogate) { return n_p(surrogate); }
int chemnet_n_elements(const chemnet_surrogate *surrogate) { return n_e(surrogate); }
int chemnet_n_latents(const chemnet_surrogate *surrogate) { return surrogate->n_latents; }
int chemnet_state_size(const chemnet_surrogate *surrogate) { return (int)state_size(surrogate); }
double chemnet_usual_dt(const chemnet_surrogate *surrogate) { return surrogate->usual_dt; }
int chemnet_is_calibrated(const chemnet_surrogate *surrogate) { return surrogate->trust.is_calibrated; }

static const char *name_of(const name_list *list, int number) {
    return number >= 0 && number < list->count ? list->names[number] : NULL;
}

const char *chemnet_species(const chemnet_surrogate *surrogate, int species) {
    return name_of(&surrogate->species, species);
}
const char *chemnet_physical(const chemnet_surrogate *surrogate, int parameter) {
    return name_of(&surrogate->physical, parameter);
}
const char *chemnet_element(const chemnet_surrogate *surrogate, int element) {
    return name_of(&surrogate->elements, element);
}

/* ---- workspaces ---- */

static size_t largest_scratch(const chemnet_surrogate *s) {
    size_t largest = chemnet_trust_scratch(&s->trust, BLOCK);
    const size_t of_implicit = chemnet_implicit_scratch(&s->implicit, BLOCK);
    largest = of_implicit > largest ? of_implicit : largest;
    for (int m = 0; m < s->n_members; m++) {
        const size_t sizes[] = {chemnet_emulator_scratch(&s->members[m], BLOCK), chemnet_perceptron_scratch(&s->encoders[m], BLOCK),
                                chemnet_perceptron_scratch(&s->decoders[m], BLOCK)};
        for (int k = 0; k < 3; k++) largest = sizes[k] > largest ? sizes[k] : largest;
    }
    return largest;
}

int chemnet_workspace_new(const chemnet_surrogate *surrogate, size_t most_cells, chemnet_workspace **workspace) {
    if (surrogate == NULL || workspace == NULL) return CHEMNET_BAD_ARGUMENT;
    *workspace = NULL;
    chemnet_workspace *w = calloc(1, sizeof *w);
    if (w == NULL) return CHEMNET_NO_MEMORY;
    const size_t species = (size_t)n_s(surrogate), latents = (size_t)surrogate->n_latents;
    w->owner = surrogate;
    w->most_cells = most_cells;
    w->state = malloc(BLOCK * state_size(surrogate) * sizeof(double));
    w->usual_dt = malloc(BLOCK * sizeof(double));
    w->abundances = malloc(BLOCK * species * sizeof(double));
    w->conserving = malloc(4 * species * sizeof(double));
    w->distances = malloc(BLOCK * sizeof(double));
    w->scaled = malloc((size_t)surrogate->n_members * BLOCK * species * sizeof(float));
    w->latents = malloc(BLOCK * latents * sizeof(float));
    w->memory = malloc((BLOCK * (size_t)surrogate->n_memory + 1) * sizeof(float));
    w->scratch = malloc((largest_scratch(surrogate) + 1) * sizeof(float));
    w->flags = malloc(BLOCK * sizeof(int32_t));
    if (!w->state || !w->usual_dt || !w->abundances || !w->conserving || !w->distances || !w->scaled || !w->latents
        || !w->memory || !w->scratch || !w->flags
        || chemnet_implicit_workspace_new(&surrogate->implicit, BLOCK, &w->implicit) != CHEMNET_OK) {
        chemnet_workspace_free(w);
        return CHEMNET_NO_MEMORY;
    }
    for (int i = 0; i < BLOCK; i++) w->usual_dt[i] = surrogate->usual_dt;
    *workspace = w;
    return CHEMNET_OK;
}

void chemnet_workspace_free(chemnet_workspace *workspace) {
    if (workspace == NULL) return;
    free(workspace->state);
    free(workspace->usual_dt);
    free(workspace->abundances);
    free(workspace->conserving);
    free(workspace->distances);
    free(workspace->scaled);
    free(workspace->latents);
    free(workspace->memory);
    free(workspace->scratch);
    free(workspace->flags);
    chemnet_implicit_workspace_free(&workspace->implicit);
    free(workspace);
}

/* ---- one block of cells ---- */

/* Latents of one member (n, its n_latents) out of or into states, as floats. */
static void gather(const chemnet_surrogate *s, size_t n, const double *state, size_t at, size_t count, float *values) {
    const size_t size = state_size(s);
    for (size_t cell = 0; cell < n; cell++)
        for (size_t j = 0; j < count; j++) values[cell * count + j] = (float)state[cell * size + at + j];
}

static void scatter(const chemnet_surrogate *s, size_t n, double *state, size_t at, size_t count, const float *values) {
    const size_t size = state_size(s);
    for (size_t cell = 0; cell < n; cell++)
        for (size_t j = 0; j < count; j++) state[cell * size + at + j] = (double)values[cell * count + j];
}

static void standardise(const emulator *net, size_t n, float *latents) {
    for (size_t cell = 0; cell < n; cell++)
        for (int j = 0; j < net->n_latents; j++) {
            float *x = &latents[cell * (size_t)net->n_latents + (size_t)j];
            *x = (*x - net->centre[j]) / net->width[j];
        }
}

static void restore_scale(const emulator *net, size_t n, float *latents) {
    for (size_t cell = 0; cell < n; cell++)
        for (int j = 0; j < net->n_latents; j++) {
            float *x = &latents[cell * (size_t)net->n_latents + (size_t)j];
            *x = net->centre[j] + *x * net->width[j];
        }
}

/* What encoders see of abundances (n, n_species): log2 above the floor. A direct emulator, which makes steps of these
 * numbers themselves, has them scaled to [0, 1], and to the last place. */
static void log_above_floor(const chemnet_surrogate *s, size_t n, const double *abundances, float *out) {
    const float range = (float)s->decades * LOG2_10F;
    const double floor = pow(10.0, -s->decades);
    for (size_t i = 0; i < n * (size_t)n_s(s); i++) {
        const double x = abundances[i] > floor ? abundances[i] : floor;
        out[i] = s->is_direct ? held((float)(log10(x) / s->decades + 1.0), 0.0f, 1.0f)
                              : held(fast_log2((float)x) + range, 0.0f, range);
    }
}

/* Latents of one member in their own scale. */
static void encode_member(const chemnet_surrogate *s, int member, size_t n, const float *logs, float *scratch,
                          float *latents) {
    const size_t species = (size_t)n_s(s), count = (size_t)s->members[member].n_latents;
    if (s->is_direct) {
        memcpy(latents, logs, n * species * sizeof(float));
        return;
    }
    const perceptron *net = &s->encoders[member];
    const float *found = chemnet_perceptron_run(net, n, logs, species, scratch);
    const size_t width = (size_t)net->layers[net->n_layers - 1].width;
    for (size_t cell = 0; cell < n; cell++) memcpy(latents + cell * count, found + cell * width, count * sizeof(float));
}

/* Scaled abundances, from 0 at the floor to 1, of latents in their own scale. */
static void decode_member(const chemnet_surrogate *s, int member, size_t n, const float *latents, float *scratch,
                          float *scaled) {
    const size_t species = (size_t)n_s(s), count = (size_t)s->members[member].n_latents;
    if (s->is_direct) {
        for (size_t i = 0; i < n * species; i++) scaled[i] = held(latents[i], 0.0f, 1.0f);
        return;
    }
    const perceptron *net = &s->decoders[member];
    const float *found = chemnet_perceptron_run(net, n, latents, count, scratch);
    const size_t width = (size_t)net->layers[net->n_layers - 1].width;
    const float range = (float)s->decades * LOG2_10F;
    /* the network gives log2 of the abundances */
    for (size_t cell = 0; cell < n; cell++)
        for (size_t j = 0; j < species; j++)
            scaled[cell * species + j] = held(found[cell * width + j] / range + 1.0f, 0.0f, 1.0f);
}

/* Mean over the members into the first one's place; the spread of each cell [dex], mean over species, if wanted. */
static void average(const chemnet_surrogate *s, size_t n, float *scaled, double *spread) {
    const size_t species = (size_t)n_s(s), stride = n * species;
    for (size_t cell = 0; cell < n; cell++) {
        double sum_of_spreads = 0.0;
        for (size_t j = 0; j < species; j++) {
            const size_t at = cell * species + j;
            float mean = 0.0f, square = 0.0f;
            for (int m = 0; m < s->n_members; m++) mean += scaled[(size_t)m * stride + at];
            mean /= (float)s->n_members;
            for (int m = 0; m < s->n_members; m++) {
                const float off = scaled[(size_t)m * stride + at] - mean;
                square += off * off;
            }
            sum_of_spreads += sqrt((double)square / s->n_members);
            scaled[at] = mean;
        }
        if (spread != NULL) spread[cell] = s->decades * sum_of_spreads / (double)species;
    }
}

/* Abundances as the networks say, of latents in their own scale, members side by side in blocks of cells. */
static void decode_all(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const float *latents,
                       double *abundances, double *spread) {
    const size_t species = (size_t)n_s(s);
    const float *at = latents;
    for (int m = 0; m < s->n_members; m++) {
        decode_member(s, m, n, at, w->scratch, w->scaled + (size_t)m * n * species);
        at += n * (size_t)s->members[m].n_latents;
    }
    average(s, n, w->scaled, spread);
    const float range = (float)s->decades * LOG2_10F;
    for (size_t i = 0; i < n * species; i++) abundances[i] = (double)fast_exp2((w->scaled[i] - 1.0f) * range);
}

static int bad_abundances(const chemnet_surrogate *s, const double *abundances) {
    for (int j = 0; j < n_s(s); j++)
        if (!(abundances[j] >= 0.0 && abundances[j] < 1e30)) return 1;
    return 0;
}

static int is_outside(double value, double low, double high, double slack) {
    return value < low * (1.0 - slack) || value > high * (1.0 + slack);
}

/* Flags of abundances; their totals. Bad ones are replaced by the floor so that nothing that follows is undefined. */
static int32_t look_at_abundances(const chemnet_surrogate *s, double *abundances, double *totals) {
    int32_t flags = 0;
    if (bad_abundances(s, abundances)) flags |= CHEMNET_BAD_INPUT;
    if (!flags) {
        chemnet_element_totals(n_s(s), n_e(s), s->atoms, abundances, totals);
        const double floor = pow(10.0, -s->decades) * (1.0 - 1e-6);
        for (int j = 0; j < n_s(s); j++)
            if (abundances[j] < floor) flags |= CHEMNET_BELOW_FLOOR;
        for (int e = 0; e < n_e(s); e++)
            if (is_outside(totals[e], s->domain_totals[e], s->domain_totals[n_e(s) + e], COMPOSITION_SLACK))
                flags |= CHEMNET_OUTSIDE_TOTALS;
        if (s->hydrogen >= 0 && !(totals[s->hydrogen] >= LEAST_HYDROGEN && totals[s->hydrogen] <= MOST_HYDROGEN))
            flags |= CHEMNET_BAD_INPUT;
    }
    if (flags & CHEMNET_BAD_INPUT) {
        for (int j = 0; j < n_s(s); j++) abundances[j] = SMALLEST;
        for (int e = 0; e < n_e(s); e++) totals[e] = NAN;
    }
    return flags;
}

static int32_t look_at_forcing(const chemnet_surrogate *s, const double *physical, double dt, double *scaled) {
    int32_t flags = 0;
    for (int p = 0; p < n_p(s); p++) {
        const double value = physical[p];
        if (!(value > 0.0 && value < 1e30)) return CHEMNET_BAD_INPUT;
        if (is_outside(value, s->domain_physical[p], s->domain_physical[n_p(s) + p], PHYSICAL_SLACK))
            flags |= CHEMNET_OUTSIDE_PHYSICAL;
        const double at = (log10(value) - s->scaling[p]) / s->scaling[n_p(s) + p];
        scaled[p] = at < -PHYSICAL_MARGIN ? -PHYSICAL_MARGIN : at > 1.0 + PHYSICAL_MARGIN ? 1.0 + PHYSICAL_MARGIN : at;
    }
    if (!(dt > 0.0 && dt < 1e30)) return CHEMNET_BAD_INPUT;
    if (s->dt_max > 0.0 && is_outside(dt, s->dt_min, s->dt_max, COMPOSITION_SLACK)) flags |= CHEMNET_OUTSIDE_DT;
    return flags;
}

static double start_error(const chemnet_surrogate *s, const double *abundances, const double *decoded) {
    const double own_floor = pow(10.0, -s->decades), floor = own_floor > SMALLEST ? own_floor : SMALLEST;
    double sum = 0.0;
    for (int j = 0; j < n_s(s); j++) {
        const double a = abundances[j] > floor ? abundances[j] : floor, b = decoded[j] > floor ? decoded[j] : floor;
        sum += fabs(log10(b) - log10(a));
    }
    return sum / n_s(s);
}

static void begin_block(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const double *abundances,
                        double *state, int32_t *flags) {
    const size_t species = (size_t)n_s(s), size = state_size(s);
    double *checked = w->abundances;
    memcpy(checked, abundances, n * species * sizeof(double));
    memset(state, 0, n * size * sizeof(double));
    for (size_t cell = 0; cell < n; cell++)
        flags[cell] = look_at_abundances(s, checked + cell * species, state + cell * size);
    float *logs = w->scaled, *at = w->latents;
    log_above_floor(s, n, checked, logs);
    size_t latent = latents_at(s), remembered = memory_at(s);
    for (int m = 0; m < s->n_members; m++) {
        const emulator *net = &s->members[m];
        const size_t count = (size_t)net->n_latents;
        encode_member(s, m, n, logs, w->scratch, at);
        standardise(net, n, at);
        scatter(s, n, state, latent, count, at);
        chemnet_emulator_first_memory(net, n, at, w->memory, w->scratch);
        scatter(s, n, state, remembered, (size_t)net->n_memory, w->memory);
        restore_scale(net, n, at);
        at += n * count;
        latent += count;
        remembered += (size_t)net->n_memory;
    }
    if (s->trust.is_calibrated && !s->is_direct) {
        /* checked abundances are needed once more beside what is decoded: the caller's are */
        decode_all(s, w, n, w->latents, w->abundances, NULL);
        for (size_t cell = 0; cell < n; cell++)
            if (!(flags[cell] & CHEMNET_BAD_INPUT))
                state[cell * size + own_at(s) + START_ERROR_AT]
                    = start_error(s, abundances + cell * species, w->abundances + cell * species);
    }
    for (size_t cell = 0; cell < n; cell++)
        state[cell * size + own_at(s) + OUTSIDE_AT] = (flags[cell] & CHEMNET_OUTSIDE_TOTALS) ? 1.0 : 0.0;
}

/* Moves the latents of an implicit emulator, which are scaled abundances, onto the totals of their cells. Where no positive
 * abundances have these the latents stay, and whoever reads them is told. */
static void keep_totals(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const double *state, float *latents) {
    const size_t species = (size_t)n_s(s);
    decode_all(s, w, n, latents, w->abundances, NULL);
    for (size_t cell = 0; cell < n; cell++) {
        const double *totals = state + cell * state_size(s);
        double *row = w->abundances + cell * species;
        if (!isnan(totals[0]) && chemnet_conserve_elements(n_s(s), n_e(s), s->is_neutral, s->atoms, totals, row, w->conserving))
            log_above_floor(s, 1, row, latents + cell * species);
    }
}

/* One step of an implicit emulator; `checked` are parameters and w->distances time steps that no cell lacks. */
static void advance_implicit(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const double *checked, int conserves,
                             double *state, int32_t *flags) {
    const size_t size = state_size(s);
    const forcing_block block = {checked, state + forcing_at(s), w->distances, size, s->scaling};
    gather(s, n, state, latents_at(s), (size_t)s->n_latents, w->latents);
    chemnet_implicit_advance(&s->implicit, &s->members[0], &w->implicit, n, &block, w->latents, flags, w->scratch);
    for (size_t cell = 0; cell < n; cell++) {
        double *signs = state + cell * size + own_at(s) + SIGNS_AT;
        signs[UPDATE_SIGN] = (double)w->implicit.update[cell];
        signs[STEP_SIGN] = (double)w->implicit.expected[cell];
        signs[ALL_STEPS_SIGN] += signs[STEP_SIGN];
    }
    if (conserves) keep_totals(s, w, n, state, w->latents);
    scatter(s, n, state, latents_at(s), (size_t)s->n_latents, w->latents);
}

static void advance_block(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const double *physical,
                          const double *dt, int conserves, double *state, int32_t *flags) {
    const size_t size = state_size(s), parameters = (size_t)n_p(s);
    double *checked = w->abundances; /* room for parameters of bad cells */
    for (size_t cell = 0; cell < n; cell++) {
        double *own = state + cell * size + own_at(s), *scaled = state + cell * size + forcing_at(s);
        int32_t found = look_at_forcing(s, physical + cell * parameters, dt[cell], scaled);
        if (isnan(state[cell * size])) found |= CHEMNET_BAD_INPUT;
        flags[cell] = found;
        own[AGE_AT] += 1.0;
        /* the last step's parameters and time step, and the start's totals */
        const double totals_outside = own[OUTSIDE_AT] >= 1.0 ? 1.0 : 0.0;
        own[OUTSIDE_AT] = totals_outside + ((found & (CHEMNET_OUTSIDE_PHYSICAL | CHEMNET_OUTSIDE_DT)) ? 0.5 : 0.0);
        const int is_bad = (found & CHEMNET_BAD_INPUT) != 0;
        for (size_t p = 0; p < parameters; p++) checked[cell * parameters + p] = is_bad ? 1.0 : physical[cell * parameters + p];
        w->distances[cell] = is_bad ? 1.0 : dt[cell];
    }
    size_t latent = latents_at(s), remembered = memory_at(s);
    if (s->implicit.is_there) advance_implicit(s, w, n, checked, conserves, state, flags);
    for (int m = 0; m < s->n_members && !s->implicit.is_there; m++) {
        const emulator *net = &s->members[m];
        const size_t count = (size_t)net->n_latents, n_memory = (size_t)net->n_memory;
        gather(s, n, state, latent, count, w->latents);
        gather(s, n, state, remembered, n_memory, w->memory);
        chemnet_emulator_step(net, n, checked, w->distances, w->latents, w->memory, w->scratch);
        scatter(s, n, state, latent, count, w->latents);
        scatter(s, n, state, remembered, n_memory, w->memory);
        latent += count;
        remembered += n_memory;
    }
    for (size_t cell = 0; cell < n; cell++)
        if (flags[cell] & CHEMNET_BAD_INPUT)
            for (int e = 0; e < n_e(s); e++) state[cell * size + (size_t)e] = NAN;
}

/* [dex] by which predicted abundances miss the totals: root of the mean square over elements */
static double imbalance_of(const chemnet_surrogate *s, const double *predicted, const double *totals) {
    double held_totals[MOST_ELEMENTS], sum = 0.0;
    chemnet_element_totals(n_s(s), n_e(s), s->atoms, predicted, held_totals);
    for (int e = 0; e < n_e(s); e++) {
        const double off = totals[e] > 0.0 ? held_totals[e] / totals[e] : 1.0;
        const double dex = log10(off > SMALLEST ? off : SMALLEST);
        sum += dex * dex;
    }
    return sqrt(sum / n_e(s));
}

static void read_block(const chemnet_surrogate *s, chemnet_workspace *w, size_t n, const double *state,
                       double *abundances, int32_t *flags, double *expected_error) {
    const size_t species = (size_t)n_s(s), size = state_size(s);
    double spread[BLOCK];
    float *at = w->latents;
    size_t latent = latents_at(s);
    for (int m = 0; m < s->n_members; m++) {
        const size_t count = (size_t)s->members[m].n_latents;
        gather(s, n, state, latent, count, at);
        restore_scale(&s->members[m], n, at);
        at += n * count;
        latent += count;
    }
    decode_all(s, w, n, w->latents, abundances, spread);
    if (expected_error != NULL && s->trust.uses_distance) {
        /* members side by side in each cell, as the known states are */
        float *beside = w->scaled;
        const float *from = w->latents;
        size_t first = 0;
        for (int m = 0; m < s->n_members; m++) {
            const size_t count = (size_t)s->members[m].n_latents;
            for (size_t cell = 0; cell < n; cell++)
                memcpy(beside + cell * (size_t)s->n_latents + first, from + cell * count, count * sizeof(float));
            from += n * count;
            first += count;
        }
        chemnet_trust_distances(&s->trust, n, beside, (size_t)s->n_latents, state + forcing_at(s), (size_t)n_p(s), size,
                        w->distances, w->scratch);
    }
    for (size_t cell = 0; cell < n; cell++) {
        const double *own = state + cell * size + own_at(s), *totals = state + cell * size;
        double *row = abundances + cell * species;
        const int is_bad = isnan(totals[0]);
        flags[cell] = is_bad ? CHEMNET_BAD_INPUT : 0;
        if (expected_error != NULL) {
            expected_error[cell] = NAN;
            if (!is_bad && s->trust.is_calibrated) {
                const error_signs signs = {w->distances[cell], imbalance_of(s, row, totals), own[START_ERROR_AT],
                                           own[AGE_AT], spread[cell], state + cell * size + forcing_at(s),
                                           own + SIGNS_AT};
                expected_error[cell] = own[OUTSIDE_AT] > 0.0 ? INFINITY : chemnet_trust_expected_error(&s->trust, &signs);
            }
        }
        if (!is_bad && !chemnet_conserve_elements(n_s(s), n_e(s), s->is_neutral, s->atoms, totals, row, w->conserving))
            flags[cell] |= CHEMNET_NOT_CONSERVED;
        if (flags[cell])
            for (size_t j = 0; j < species; j++) row[j] = NAN;
    }
}

/* ---- all cells ---- */

static int check_call(const chemnet_surrogate *s, const chemnet_workspace *w, size_t n_cells, const void *a,
                      const void *b) {
    if (s == NULL || w == NULL || w->owner != s || (n_cells && (a == NULL || b == NULL))) return CHEMNET_BAD_ARGUMENT;
    return n_cells > w->most_cells ? CHEMNET_TOO_MANY_CELLS : CHEMNET_OK;
}

static size_t block_of(size_t n_cells, size_t first) { return n_cells - first < BLOCK ? n_cells - first : BLOCK; }

static void add_flags(int32_t *flags, size_t first, size_t n, const int32_t *found, int is_first) {
    if (flags == NULL) return;
    for (size_t i = 0; i < n; i++) flags[first + i] = (is_first ? 0 : flags[first + i]) | found[i];
}

int chemnet_begin(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                  const double *abundances, double *state, int32_t *flags) {
    const int code = check_call(surrogate, workspace, n_cells, abundances, state);
    const size_t species = code ? 0 : (size_t)n_s(surrogate), size = code ? 0 : state_size(surrogate);
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        begin_block(surrogate, workspace, n, abundances + first * species, state + first * size, workspace->flags);
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}

int chemnet_advance(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                    const double *physical, const double *dt, double *state, int32_t *flags) {
    const int code = check_call(surrogate, workspace, n_cells, physical, state);
    const size_t parameters = code ? 0 : (size_t)n_p(surrogate), size = code ? 0 : state_size(surrogate);
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        advance_block(surrogate, workspace, n, physical + first * parameters, dt ? dt + first : workspace->usual_dt, 1,
                      state + first * size, workspace->flags);
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}

int chemnet_read(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                 const double *state, double *abundances, int32_t *flags, double *expected_error) {
    const int code = check_call(surrogate, workspace, n_cells, state, abundances);
    const size_t species = code ? 0 : (size_t)n_s(surrogate), size = code ? 0 : state_size(surrogate);
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        read_block(surrogate, workspace, n, state + first * size, abundances + first * species, workspace->flags,
                   expected_error ? expected_error + first : NULL);
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}

int chemnet_step(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                 const double *physical, const double *dt, double *abundances, int32_t *flags,
                 double *expected_error) {
    const int code = check_call(surrogate, workspace, n_cells, physical, abundances);
    const size_t species = code ? 0 : (size_t)n_s(surrogate), parameters = code ? 0 : (size_t)n_p(surrogate);
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        double *rows = abundances + first * species, *state = workspace->state;
        int32_t *found = workspace->flags;
        begin_block(surrogate, workspace, n, rows, state, found);
        add_flags(flags, first, n, found, 1);
        advance_block(surrogate, workspace, n, physical + first * parameters, dt ? dt + first : workspace->usual_dt, 1,
                      state, found);
        add_flags(flags, first, n, found, 0);
        read_block(surrogate, workspace, n, state, rows, found, expected_error ? expected_error + first : NULL);
        add_flags(flags, first, n, found, 0);
    }
    return code;
}

int chemnet_totals(const chemnet_surrogate *surrogate, size_t n_cells, const double *abundances, double *totals) {
    if (surrogate == NULL || (n_cells && (abundances == NULL || totals == NULL))) return CHEMNET_BAD_ARGUMENT;
    for (size_t cell = 0; cell < n_cells; cell++)
        chemnet_element_totals(n_s(surrogate), n_e(surrogate), surrogate->atoms, abundances + cell * (size_t)n_s(surrogate),
                               totals + cell * (size_t)n_e(surrogate));
    return CHEMNET_OK;
}

static int bad_totals(const chemnet_surrogate *s, const double *totals) {
    for (int e = 0; e < n_e(s); e++)
        if (!(totals[e] >= 0.0 && totals[e] < 1e30)) return 1;
    return s->hydrogen >= 0 && !(totals[s->hydrogen] >= LEAST_HYDROGEN && totals[s->hydrogen] <= MOST_HYDROGEN);
}

int chemnet_conserve(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                     const double *totals, double *abundances, int32_t *flags) {
    const int code = check_call(surrogate, workspace, n_cells, totals, abundances);
    for (size_t cell = 0; code == CHEMNET_OK && cell < n_cells; cell++) {
        const double *wanted = totals + cell * (size_t)n_e(surrogate);
        double *row = abundances + cell * (size_t)n_s(surrogate);
        int32_t found = 0;
        if (bad_totals(surrogate, wanted) || bad_abundances(surrogate, row))
            found = CHEMNET_BAD_INPUT;
        else if (!chemnet_conserve_elements(n_s(surrogate), n_e(surrogate), surrogate->is_neutral, surrogate->atoms, wanted,
                                            row, workspace->conserving))
            found = CHEMNET_NOT_CONSERVED;
        for (int j = 0; found && j < n_s(surrogate); j++) row[j] = NAN;
        if (flags != NULL) flags[cell] = found;
    }
    return code;
}

/* Latents of a call, cells first and members side by side, into or out of blocks of members. */
static void take_latents(const chemnet_surrogate *s, size_t n, const double *latents, float *blocks) {
    size_t first = 0;
    for (int m = 0; m < s->n_members; m++) {
        const size_t count = (size_t)s->members[m].n_latents;
        for (size_t cell = 0; cell < n; cell++)
            for (size_t j = 0; j < count; j++) *blocks++ = (float)latents[cell * (size_t)s->n_latents + first + j];
        first += count;
    }
}

static void give_latents(const chemnet_surrogate *s, size_t n, const float *blocks, double *latents) {
    size_t first = 0;
    for (int m = 0; m < s->n_members; m++) {
        const size_t count = (size_t)s->members[m].n_latents;
        for (size_t cell = 0; cell < n; cell++)
            for (size_t j = 0; j < count; j++) latents[cell * (size_t)s->n_latents + first + j] = (double)*blocks++;
        first += count;
    }
}

int chemnet_encode(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                   const double *abundances, double *latents, int32_t *flags) {
    const int code = check_call(surrogate, workspace, n_cells, abundances, latents);
    const size_t species = code ? 0 : (size_t)n_s(surrogate), count = code ? 0 : (size_t)surrogate->n_latents;
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        double totals[MOST_ELEMENTS];
        memcpy(workspace->abundances, abundances + first * species, n * species * sizeof(double));
        for (size_t cell = 0; cell < n; cell++)
            workspace->flags[cell] = look_at_abundances(surrogate, workspace->abundances + cell * species, totals);
        log_above_floor(surrogate, n, workspace->abundances, workspace->scaled);
        float *at = workspace->latents;
        for (int m = 0; m < surrogate->n_members; m++) {
            encode_member(surrogate, m, n, workspace->scaled, workspace->scratch, at);
            at += n * (size_t)surrogate->members[m].n_latents;
        }
        give_latents(surrogate, n, workspace->latents, latents + first * count);
        for (size_t cell = 0; cell < n; cell++)
            if (workspace->flags[cell] & CHEMNET_BAD_INPUT)
                for (size_t j = 0; j < count; j++) latents[(first + cell) * count + j] = NAN;
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}

static int32_t look_at_latents(const double *latents, size_t count) {
    for (size_t j = 0; j < count; j++)
        if (!(fabs(latents[j]) < 1e30)) return CHEMNET_BAD_INPUT;
    return 0;
}

int chemnet_decode(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                   const double *latents, double *abundances, int32_t *flags) {
    const int code = check_call(surrogate, workspace, n_cells, latents, abundances);
    const size_t species = code ? 0 : (size_t)n_s(surrogate), count = code ? 0 : (size_t)surrogate->n_latents;
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        take_latents(surrogate, n, latents + first * count, workspace->latents);
        decode_all(surrogate, workspace, n, workspace->latents, abundances + first * species, NULL);
        for (size_t cell = 0; cell < n; cell++) {
            workspace->flags[cell] = look_at_latents(latents + (first + cell) * count, count);
            if (workspace->flags[cell])
                for (size_t j = 0; j < species; j++) abundances[(first + cell) * species + j] = NAN;
        }
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}

int chemnet_latent_step(const chemnet_surrogate *surrogate, chemnet_workspace *workspace, size_t n_cells,
                        const double *physical, const double *dt, double *latents, int32_t *flags) {
    int code = check_call(surrogate, workspace, n_cells, physical, latents);
    if (code == CHEMNET_OK && surrogate->n_memory) code = CHEMNET_BAD_ARGUMENT;
    const size_t size = code ? 0 : state_size(surrogate), count = code ? 0 : (size_t)surrogate->n_latents;
    for (size_t first = 0; code == CHEMNET_OK && first < n_cells; first += BLOCK) {
        const size_t n = block_of(n_cells, first);
        double *state = workspace->state, *rows = latents + first * count;
        memset(state, 0, n * size * sizeof(double));
        take_latents(surrogate, n, rows, workspace->latents);
        float *at = workspace->latents;
        size_t latent = latents_at(surrogate);
        for (int m = 0; m < surrogate->n_members; m++) {
            const size_t own = (size_t)surrogate->members[m].n_latents;
            standardise(&surrogate->members[m], n, at);
            scatter(surrogate, n, state, latent, own, at);
            at += n * own;
            latent += own;
        }
        for (size_t cell = 0; cell < n; cell++)
            if (look_at_latents(rows + cell * count, count)) state[cell * size] = NAN;
        advance_block(surrogate, workspace, n, physical + first * (size_t)n_p(surrogate),
                      dt ? dt + first : workspace->usual_dt, 0, state, workspace->flags);
        at = workspace->latents;
        latent = latents_at(surrogate);
        for (int m = 0; m < surrogate->n_members; m++) {
            const size_t own = (size_t)surrogate->members[m].n_latents;
            gather(surrogate, n, state, latent, own, at);
            restore_scale(&surrogate->members[m], n, at);
            at += n * own;
            latent += own;
        }
        give_latents(surrogate, n, workspace->latents, rows);
        for (size_t cell = 0; cell < n; cell++)
            if (workspace->flags[cell] & CHEMNET_BAD_INPUT)
                for (size_t j = 0; j < count; j++) rows[cell * count + j] = NAN;
        add_flags(flags, first, n, workspace->flags, 1);
    }
    return code;
}
