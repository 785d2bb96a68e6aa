"""Trained networks run over whole data sets, batch by batch."""
