"""Sweeps: many trainings of one model with different values of some keys, and what becomes of each."""
