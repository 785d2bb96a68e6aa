"""Preparing tracers for training: scaling, splits by tracer, windows, samplers, methods."""
