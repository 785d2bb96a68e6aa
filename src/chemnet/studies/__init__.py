"""The studies of the CODES benchmark: one model trained on less, in other batches, and several times."""
