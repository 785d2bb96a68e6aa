"""How good a surrogate is: metrics, baselines and speed, against raw truth on tracers that it never saw."""
