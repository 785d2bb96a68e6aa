"""Trained networks put to work: conservation, rollout, composition."""
