"""Emulators: a space, a step that advances states in it, and the rollout around both."""
