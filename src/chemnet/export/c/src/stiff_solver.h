/* The rate equations integrated over one step: variable-order, variable-step backward differentiation (NDF) of
 * chemnet.chemistry.solver.bdf, with the checks and repetitions of chemnet.chemistry.solver.along_tracer. */
#ifndef CHEMNET_STIFF_SOLVER_H
#define CHEMNET_STIFF_SOLVER_H

#include "implicit_step.h"

/* Integrates from work->start over `duration` [s] at constant conditions; the end is work->x. Returns whether it got there. */
int chemnet_integrate(const reaction_network *net, step_workspace *work, const double *conditions, double duration, double rtol,
              double atol);

#endif
