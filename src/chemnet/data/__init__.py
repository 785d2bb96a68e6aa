"""Datasets: raw tracers, preprocess results and inference results."""
