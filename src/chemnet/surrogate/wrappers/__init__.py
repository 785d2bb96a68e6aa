"""One-step predictors around others: conservation, ensembles, the solver as a fallback."""
