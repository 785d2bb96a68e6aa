"""Preparing tracers for training: scaling, splits by tracer, windows, methods."""
