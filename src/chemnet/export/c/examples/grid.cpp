// grid WEIGHTS REFERENCE CELLS STEPS: a loop over the cells of a grid as a hydrodynamic code has it, one workspace per
// thread. With OpenMP (-fopenmp) the cells are shared among the threads; with MPI (-DWITH_MPI, mpicxx) among the ranks.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../chemnet_surrogate.h"
extern "C" {
#include "../src/bundle_file.h"
}
#ifdef WITH_MPI
#include <mpi.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

namespace {
constexpr std::size_t cells_per_call = 256;

void refuse(const char *what, int code) {
    std::fprintf(stderr, "%s: %s\n", what, chemnet_error_text(code));
    std::exit(2);
}
}  // namespace

int main(int argc, char **argv) {
    int rank = 0, n_ranks = 1;
#ifdef WITH_MPI
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n_ranks);
#endif
    if (argc != 5) {
        std::fprintf(stderr, "usage: grid WEIGHTS REFERENCE CELLS STEPS\n");
        return 2;
    }
    const std::size_t all_cells = std::strtoul(argv[3], nullptr, 10);
    const int n_steps = std::atoi(argv[4]);
    chemnet_surrogate *surrogate;
    bundle_file file;
    bundle_array start, forcing;
    int code = chemnet_open(argv[1], &surrogate);
    if (code != CHEMNET_OK) refuse(argv[1], code);
    code = chemnet_bundle_open(argv[2], &file);
    if (code != CHEMNET_OK) refuse(argv[2], code);
    if (!chemnet_bundle_find(&file, "start", DOUBLES, &start) || !chemnet_bundle_find(&file, "physical", DOUBLES, &forcing))
        refuse(argv[2], CHEMNET_DAMAGED);
    const std::size_t species = chemnet_n_species(surrogate), parameters = chemnet_n_physical(surrogate);
    const std::size_t n_cells = all_cells / n_ranks + (std::size_t(rank) < all_cells % n_ranks);
    std::vector<double> abundances(n_cells * species), physical(n_cells * parameters);
    for (std::size_t cell = 0; cell < n_cells; cell++) {
        const std::size_t from = (cell * n_ranks + rank) % start.shape[0];
        std::copy_n(static_cast<const double *>(start.values) + from * species, species, &abundances[cell * species]);
        std::copy_n(static_cast<const double *>(forcing.values) + from * parameters, parameters, &physical[cell * parameters]);
    }
    long flagged = 0;
    const auto before = std::chrono::steady_clock::now();
#pragma omp parallel reduction(+ : flagged)
    {
        chemnet_workspace *workspace;  // one per thread, kept over all steps
        const int made = chemnet_workspace_new(surrogate, cells_per_call, &workspace);
        if (made != CHEMNET_OK) refuse("workspace", made);
        std::vector<std::int32_t> flags(cells_per_call);
        for (int step = 0; step < n_steps; step++) {
#pragma omp for schedule(dynamic)
            for (long first = 0; first < long(n_cells); first += long(cells_per_call)) {
                const std::size_t n = std::min(cells_per_call, n_cells - std::size_t(first));
                chemnet_step(surrogate, workspace, n, &physical[first * parameters], nullptr, &abundances[first * species],
                             flags.data(), nullptr);
                flagged += std::count_if(flags.begin(), flags.begin() + long(n), [](std::int32_t f) { return f != 0; });
            }
        }
        chemnet_workspace_free(workspace);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - before).count();
    double sum = 0.0;
    for (double x : abundances) sum += x;
    std::printf("rank %d cells %zu steps %d flagged %ld checksum %.12e us_per_cell_step %.3f\n", rank, n_cells, n_steps,
                flagged, sum, 1e6 * seconds / double(n_cells) / n_steps);
    chemnet_bundle_close(&file);
    chemnet_close(surrogate);
#ifdef WITH_MPI
    MPI_Finalize();
#endif
    return std::isfinite(sum) ? 0 : 1;
}
