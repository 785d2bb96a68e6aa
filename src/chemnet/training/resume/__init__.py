"""Resuming an interrupted training."""
