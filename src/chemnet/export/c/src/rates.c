#include "rates.h"

#include <math.h>

#include "elementary.h"

/* formulae in the order of chemnet.chemistry.rates.table.Formula */
enum { ION_POLAR_1 = 1, CRP = 4, CRPHOT = 5, H2_PHOTON = 7, CO_PHOTON = 8, C_PHOTON = 9, FREEZE_H = 11,
       FREEZE_H2 = 12, SURFACE_SWAP = 15, H2_DESORPTION = 16, CR_DESORPTION = 17, UV_DESORPTION = 18, H2_FORMATION = 19 };

/* constants of chemnet.chemistry.rates.constants, in cgs */
#define PI 3.14159265358979323846
#define GRAIN_RADIUS 1e-5
#define MONOLAYER 2.4908086049999993e-06
#define SILICATE_SECTION 8.473e-22
#define CARBON_SECTION 7.908e-22
#define GRAIN_SECTION (0.5 * (CARBON_SECTION + SILICATE_SECTION))
#define GRAIN_AREA (4.0 * GRAIN_SECTION)
#define MAX_GRAIN_TEMPERATURE 150.0
#define HABING_PER_DRAINE 1.7
#define ALBEDO 0.5
#define NUCLEI_PER_MAGNITUDE (1.0 / 5.348e-22)
#define H2_YIELD 0.01
#define H2_DESORPTION_LIMIT 1210.0
#define CR_DESORPTION_LIMIT 1210.0
#define UV_DESORPTION_LIMIT 1e4
#define IRON_FRACTION 1.64e-4
#define UV_YIELD 0.03
#define CR_PHOTON_FLUX 4875.0
#define CR_PHOTON_FIELD 1e-3
#define QUIRK_FLOOR 1e-20
#define LEAST_YIELD 1e2
#define MOST_YIELD 1e6
#define C_CROSS_SECTION 1.1e-17
#define H2_RATE 5.18e-11
#define CO_RATE 2e-10

static inline double bounded(double x, double low, double high) {
    x = x > low ? x : low;
    return x < high ? x : high;
}

static inline double exponential(double x) { return x >= -650.0 ? fast_exp(x) : 0.0; }

/* ---- formulae that most rows follow, over runs of rows ---- */

static const double *row_of(const reaction_network *net, int parameter) {
    return net->parameters + (size_t)parameter * net->n_reactions;
}

static void fill_arrhenius(const reaction_network *net, double t_gas, double *restrict k) {
    const double log_t = log(t_gas / 300.0);
    const double *restrict alpha = row_of(net, ALPHA), *restrict beta = row_of(net, BETA), *restrict gamma = row_of(net, GAMMA);
    const double *restrict log_min = row_of(net, LOG_FIT_MIN), *restrict log_max = row_of(net, LOG_FIT_MAX);
    const double *restrict fit_min = row_of(net, FIT_MIN), *restrict fit_max = row_of(net, FIT_MAX);
    for (uint32_t r = net->run[ARRHENIUS_RUN]; r < net->run[PHOTON_RUN]; r++)
        k[r] = alpha[r] * exponential(beta[r] * bounded(log_t, log_min[r], log_max[r])
                                      - gamma[r] / bounded(t_gas, fit_min[r], fit_max[r]));
}

static void fill_photon(const reaction_network *net, double av, double radfield, double *restrict k) {
    const double field = radfield / HABING_PER_DRAINE;
    const double *restrict alpha = row_of(net, ALPHA), *restrict gamma = row_of(net, GAMMA);
    for (uint32_t r = net->run[PHOTON_RUN]; r < net->run[EVAPORATION_RUN]; r++)
        k[r] = alpha[r] * exponential(-gamma[r] * av) * field;
}

static void fill_evaporation(const reaction_network *net, uint32_t first, uint32_t last, double t_dust, double *restrict k) {
    const double *restrict alpha = row_of(net, ALPHA), *restrict nu = row_of(net, FREQUENCY_1), *restrict energy = row_of(net, ENERGY_1);
    for (uint32_t r = first; r < last; r++) k[r] = alpha[r] * nu[r] * exponential(-energy[r] / t_dust);
}

static void fill_diffusion(const reaction_network *net, double t_dust, double *restrict k) {
    const double *restrict nu_1 = row_of(net, FREQUENCY_1), *restrict nu_2 = row_of(net, FREQUENCY_2);
    const double *restrict energy_1 = row_of(net, ENERGY_1), *restrict energy_2 = row_of(net, ENERGY_2);
    const double *restrict barrier_1 = row_of(net, BARRIER_1), *restrict barrier_2 = row_of(net, BARRIER_2);
    const double *restrict gamma = row_of(net, GAMMA), *restrict tunnelling = row_of(net, TUNNELLING);
    const double *restrict share = row_of(net, SHARE), *restrict alpha = row_of(net, ALPHA);
    for (uint32_t r = net->run[DIFFUSION_RUN]; r < net->run[REST]; r++) {
        const double hop = nu_1[r] * exponential(-barrier_1[r] / t_dust) + nu_2[r] * exponential(-barrier_2[r] / t_dust);
        const double leave = nu_1[r] * exponential(-energy_1[r] / t_dust) + nu_2[r] * exponential(-energy_2[r] / t_dust);
        const double over = gamma[r] / t_dust, barrier = over < tunnelling[r] ? over : tunnelling[r];
        const double react = (nu_1[r] > nu_2[r] ? nu_1[r] : nu_2[r]) * exponential(-barrier);
        k[r] = share[r] * alpha[r] * (react / (react + leave + hop)) * hop / MONOLAYER;
    }
}

/* Multiplies by scale and powers of the density, and leaves nothing where a row does not count. */
static void finish(const reaction_network *net, double t_gas, double density, double *restrict k) {
    const double power[3] = {1.0, density, density * density};
    const double *restrict t_min = row_of(net, T_MIN), *restrict t_max = row_of(net, T_MAX), *restrict scale = row_of(net, SCALE);
    for (uint32_t r = 0; r < net->n_reactions; r++) {
        const int is_inside = (t_gas >= t_min[r]) & (t_gas < t_max[r]);
        k[r] = is_inside ? k[r] * power[net->density_power.at[r]] * scale[r] : 0.0;
    }
}

/* ---- shielding: chemnet.chemistry.rates.photo ---- */

#define N_WAVELENGTHS 30
static const double wavelength[N_WAVELENGTHS]
    = {910,  950,  1000, 1050, 1110, 1180, 1250, 1390, 1490, 1600, 1700, 1800, 1900,  2000,  2100,
       2190, 2300, 2400, 2500, 2740, 3440, 4000, 4400, 5500, 7000, 9000, 12500, 22000, 34000, 1e9};
static const double extinction[N_WAVELENGTHS]
    = {5.76, 5.18, 4.65, 4.16, 3.73, 3.40, 3.11, 2.74, 2.63, 2.62, 2.54, 2.50, 2.58, 2.78, 3.01,
       3.12, 2.86, 2.58, 2.35, 2.00, 1.58, 1.42, 1.32, 1.00, 0.75, 0.48, 0.28, 0.12, 0.05, 0.0};
/* of the natural cubic spline through both */
static const double extinction_curvature[N_WAVELENGTHS] = {
    7.318364664277154e-20, 0.00013749963627986988, -2.69986906075299e-05, 6.649512615024767e-05, 4.2016779622033644e-05,
    -2.854065092255472e-06, 1.837907258372296e-05, 1.0575529080673276e-05, 1.607818736698437e-05, -1.5962237705957078e-05,
    6.80993771588222e-06, 1.2722486842428224e-05, 1.4300114914404937e-05, 2.077053499951819e-06, -4.608328914212062e-06,
    -5.470230032512493e-05, 7.0956201561591805e-06, 4.189107519950909e-06, 6.147949764037077e-06, 1.8770142019153942e-06,
    2.0815051004308922e-07, 8.440189118736282e-08, -1.6082550604537235e-07, 1.8478292382420385e-07, -2.567240118760297e-08,
    4.62662112884575e-08, 2.731238670008782e-09, 9.326911945648226e-10, 1.1903964714734612e-14, 0.0,};
static const double h2_columns[H2_KNOTS] = {18.0, 19.0, 20.0, 21.0, 22.0, 23.0};

/* A cubic spline, held constant outside its knots. */
static double spline(double x, uint32_t n, const double *knots, const double *values, const double *curvature) {
    x = bounded(x, knots[0], knots[n - 1]);
    uint32_t i = 1;
    while (i < n - 1 && knots[i] < x) i++;
    const double step = knots[i] - knots[i - 1], a = (knots[i] - x) / step, b = (x - knots[i - 1]) / step;
    const double bend = (a * a * a - a) * curvature[i - 1] + (b * b * b - b) * curvature[i];
    return a * values[i - 1] + b * values[i] + bend * step * step / 6.0;
}

/* Curvature of the natural spline on knots one apart (Thomas algorithm). */
static void natural_curvature(uint32_t n, const double *values, double *curvature) {
    double ratio[MOST_CO_KNOTS] = {0.0};
    for (uint32_t i = 0; i < n; i++) curvature[i] = 0.0;
    for (uint32_t i = 1; i + 1 < n; i++) {
        const double pivot = 4.0 - ratio[i - 1];
        ratio[i] = 1.0 / pivot;
        curvature[i] = (6.0 * (values[i + 1] - 2.0 * values[i] + values[i - 1]) - curvature[i - 1]) / pivot;
    }
    for (uint32_t i = n - 2; i > 0; i--) curvature[i] -= ratio[i] * curvature[i + 1];
}

/* Share of light behind `av` magnitudes of dust: Wagenblast & Hartquist 1989. */
static double scattering(double at, double av) {
    const double found = spline(at, N_WAVELENGTHS, wavelength, extinction, extinction_curvature);
    const double tau = av / 1.086 * (found > 0.0 ? found : 0.0);
    if (tau < 1.0) return exp(-0.7514 * tau);
    return 2.006 * exp(-0.849 * tau) - 1.438 * exp(-1.013 * tau) + 0.7364 * exp(-1.282 * tau) - 0.5076 * exp(-2.005 * tau)
           - 0.0592 * exp(-5.832 * tau);
}

/* Federman, Glassgold & Kwan 1979 */
static double h2_self_shielding(double column) {
    const double doppler = 1e10, tau = 0.5 * column * 1.5e-2 * 1e-2 / doppler;
    const double core = tau < 2.0 ? exp(-2.0 / 3.0 * tau) : tau < 10.0 ? 0.638 * pow(tau, -1.25)
                        : tau < 100.0 ? 0.505 * pow(tau, -1.15) : 0.344 * pow(tau, -1.0667);
    const double r = 8e7 / (sqrt(PI) * doppler), t = 3.02 * pow(1e3 * r, -0.064), u = sqrt(tau * r) / t;
    return core + r / (t * sqrt(PI / 4.0 + u * u));
}

/* van Dishoeck & Black 1988 */
static double co_dissociation(const reaction_network *net, double h2, double co, double field, double av) {
    const double u = log10(co + 1.0), w = log10(h2 + 1.0);
    const double mean = (5675.0 - 200.6 * w) - (571.6 - 24.09 * w) * u + (18.22 - 0.7664 * w) * u * u;
    double along[MOST_CO_KNOTS], bend[MOST_CO_KNOTS];
    for (uint32_t i = 0; i < net->n_co; i++)
        along[i] = spline(w, H2_KNOTS, h2_columns, net->co_shielding + i * H2_KNOTS, net->co_curvature + i * H2_KNOTS);
    natural_curvature(net->n_co, along, bend);
    const double lines = pow(10.0, spline(u, net->n_co, net->co_grid, along, bend));
    return CO_RATE * field * lines * scattering(bounded(mean, 913.6, 1076.1), av);
}

typedef struct {
    double h2, co, c;
} shielding_columns;

static shielding_columns columns_of(const double *conditions, double c_abundance) {
    double av = conditions[EXTINCTION];
    if (conditions[COLUMN_NUCLEI] >= 0.0) av = conditions[COLUMN_NUCLEI] / NUCLEI_PER_MAGNITUDE;
    const double nuclei = av * NUCLEI_PER_MAGNITUDE;
    shielding_columns found = {0.5 * (1.0 - 0.5 * exp(-av / 0.5)) * nuclei,
                               nuclei * (1e-4 * (1.0 - exp(-(av / 2.0) * (av / 2.0))) + 1e-9), nuclei * c_abundance};
    /* a column that is not given is NaN, which no comparison finds */
    if (conditions[COLUMN_H2] >= 0.0) found.h2 = conditions[COLUMN_H2];
    if (conditions[COLUMN_CO] >= 0.0) found.co = conditions[COLUMN_CO];
    if (conditions[COLUMN_C] >= 0.0) found.c = conditions[COLUMN_C];
    return found;
}

/* ---- grains: chemnet.chemistry.rates.grain ---- */

static double formation_efficiency(double saddle, double physisorbed, double h2_binding, double t_dust) {
    const double root = 1.0 + sqrt((3e4 - saddle) / (physisorbed - saddle)), q = root * root, flux = 1e-10;
    const double held_back = 0.005 * flux / (2.0 * 3e12 * exp(-h2_binding / t_dust)), lost = q / 4.0 * exp(-saddle / t_dust);
    const double evaporated = 1.3e13 / (2.0 * flux) * exp(-1.5 * 3e4 / t_dust) * q;
    return 1.0 / (1.0 + held_back + lost) / (1.0 + evaporated);
}

/* [cm^3 s^-1]: Cazaux & Tielens 2002 */
static double h2_formation(double t_gas, double t_dust) {
    const double warm = t_gas / 100.0, speed = 1.45e5 * sqrt(warm);
    const double sticking = 1.0 / (1.0 + 0.04 * sqrt(t_gas + t_dust) + 0.2 * warm + 0.08 * warm * warm);
    return 0.5 * speed * sticking * (SILICATE_SECTION * formation_efficiency(110.0, 450.0, 320.0, t_dust)
                                     + CARBON_SECTION * formation_efficiency(260.0, 800.0, 520.0, t_dust));
}

/* Chaabouni et al. 2012 */
static double sticking_coefficient(double at_zero, double critical, double t_gas) {
    const double x = t_gas / critical;
    return at_zero * (1.0 + 2.5 * x) / pow(1.0 + x, 2.5);
}

/* How often a molecule hits a grain, with the pull of the grain's charge on ions. */
static double collisions(const reaction_network *net, uint32_t r, double t_gas) {
    const double focus = 1.0 + row_of(net, BETA)[r] * 16.71e-4 / (GRAIN_RADIUS * t_gas);
    return row_of(net, ALPHA)[r] * focus * row_of(net, SPEED)[r] * sqrt(t_gas) * GRAIN_SECTION;
}

/* ---- all other formulae ---- */

/* KIDA's ion-polar formulae */
static double gas_coefficient(const reaction_network *net, uint32_t r, double t_fit) {
    const double strength = row_of(net, GAMMA)[r] * sqrt(300.0 / t_fit), scale = row_of(net, ALPHA)[r] * row_of(net, BETA)[r];
    return net->formula.at[r] == ION_POLAR_1 ? scale * (0.62 + 0.4767 * strength)
                                             : scale * (1.0 + 0.0967 * strength + strength * strength / 10.526);
}

static double radiation_coefficient(const reaction_network *net, uint32_t r, const double *conditions, double t_fit,
                                    const shielding_columns *columns) {
    const double alpha = row_of(net, ALPHA)[r], gamma = row_of(net, GAMMA)[r], t_gas = conditions[GAS_TEMPERATURE];
    const double av = conditions[EXTINCTION], field = conditions[RADIATION] / HABING_PER_DRAINE, zeta = conditions[ZETA];
    switch (net->formula.at[r]) {
    case CRP: return alpha * zeta;
    case CRPHOT: return alpha * gamma / (1.0 - ALBEDO) * zeta * exponential(row_of(net, BETA)[r] * log(t_fit / 300.0));
    case H2_PHOTON: return H2_RATE * field * scattering(1000.0, av) * h2_self_shielding(columns->h2);
    case CO_PHOTON: return co_dissociation(net, columns->h2, columns->co, field, av);
    default:
        return alpha * field
               * exp(-(gamma * av + C_CROSS_SECTION * columns->c + 0.9 * pow(t_gas, 0.27) * pow(columns->h2 / 1.59e21, 0.45)));
    }
}

static double grain_coefficient(const reaction_network *net, uint32_t r, const double *conditions, double h2_on_gas,
                                double h2_on_dust, double cr_yield) {
    const double t_gas = conditions[GAS_TEMPERATURE], t_dust = conditions[DUST_TEMPERATURE], zeta = conditions[ZETA];
    const double energy = row_of(net, ENERGY_1)[r];
    const uint32_t formula = net->formula.at[r];
    switch (formula) {
    case H2_DESORPTION: return energy <= H2_DESORPTION_LIMIT ? H2_YIELD * h2_on_gas : 0.0;
    case H2_FORMATION: return h2_on_dust;
    case CR_DESORPTION:
        return energy <= CR_DESORPTION_LIMIT ? 4.0 * PI * zeta * IRON_FRACTION * GRAIN_AREA * cr_yield : 0.0;
    case UV_DESORPTION: {
        const double field = conditions[RADIATION] / CR_PHOTON_FIELD * exponential(-1.8 * conditions[EXTINCTION]);
        return energy <= UV_DESORPTION_LIMIT ? GRAIN_SECTION * UV_YIELD * CR_PHOTON_FLUX * (zeta + field) : 0.0;
    }
    default: break;
    }
    if (t_dust > MAX_GRAIN_TEMPERATURE) return 0.0;
    if (formula == SURFACE_SWAP) return row_of(net, ALPHA)[r];
    const double rate = collisions(net, r, t_gas);
    if (formula == FREEZE_H) return rate * sticking_coefficient(1.0, 52.0, t_gas);
    if (formula == FREEZE_H2) return rate * sticking_coefficient(0.87, 87.0, t_gas);
    if (formula < SURFACE_SWAP) return rate;
    return row_of(net, SHARE)[r] * rate * exp(-row_of(net, GAMMA)[r] / t_dust);
}

void chemnet_rate_coefficients(const reaction_network *net, const double *conditions, double c_abundance, double cr_yield,
                       double *k) {
    const double t_gas = conditions[GAS_TEMPERATURE], t_dust = conditions[DUST_TEMPERATURE];
    fill_evaporation(net, net->run[SWAP_RUN], net->run[ARRHENIUS_RUN], t_dust, k);
    fill_arrhenius(net, t_gas, k);
    fill_photon(net, conditions[EXTINCTION], conditions[RADIATION], k);
    fill_evaporation(net, net->run[EVAPORATION_RUN], net->run[DIFFUSION_RUN], t_dust, k);
    fill_diffusion(net, t_dust, k);
    if (t_dust > MAX_GRAIN_TEMPERATURE) {
        for (uint32_t r = net->run[SWAP_RUN]; r < net->run[ARRHENIUS_RUN]; r++) k[r] = 0.0;
        for (uint32_t r = net->run[DIFFUSION_RUN]; r < net->run[REST]; r++) k[r] = 0.0;
    }
    const double h2_on_gas = h2_formation(t_gas, t_dust), h2_on_dust = h2_formation(t_dust, t_dust);
    const shielding_columns columns = columns_of(conditions, c_abundance);
    for (uint32_t r = net->run[REST]; r < net->n_reactions; r++) {
        const double t_fit = bounded(t_gas, row_of(net, FIT_MIN)[r], row_of(net, FIT_MAX)[r]);
        const uint32_t formula = net->formula.at[r];
        k[r] = formula < CRP         ? gas_coefficient(net, r, t_fit)
               : formula <= C_PHOTON ? radiation_coefficient(net, r, conditions, t_fit, &columns)
                                     : grain_coefficient(net, r, conditions, h2_on_gas, h2_on_dust, cr_yield);
    }
    finish(net, t_gas, conditions[DENSITY], k);
}

/* ---- quirks ---- */

int chemnet_is_bare(const reaction_network *net, const double *y) {
    double ice = 0.0;
    for (uint32_t i = 0; i < net->surface.count; i++) ice += y[net->surface.at[i]];
    return net->is_compatible && ice < QUIRK_FLOOR;
}

void chemnet_switch_off(const reaction_network *net, const double *y, int is_bare, double *k) {
    if (!net->is_compatible) return;
    for (uint32_t pair = 0; pair < net->freezing.count; pair++) {
        const uint32_t row = net->freezing.at[pair];
        if (k[row] * y[net->freezes.at[pair]] < QUIRK_FLOOR * k[net->partners.at[pair]]) k[row] = 0.0;
    }
    if (is_bare)
        for (uint32_t i = 0; i < net->evaporating.count; i++) k[net->evaporating.at[i]] = 0.0;
}

double chemnet_desorption_yield(const reaction_network *net, const double *before, const double *y) {
    if (!net->is_compatible || net->electron < 0) return CR_YIELD;
    const double field = before[RADIATION] * exp(-2.5 * before[EXTINCTION]);
    const double charging = field * sqrt(before[GAS_TEMPERATURE]) / (before[DENSITY] * y[net->electron]);
    return isnan(charging) ? CR_YIELD : bounded(charging, LEAST_YIELD, MOST_YIELD);
}
