"""Epoch by epoch: the engines, what happens around them, and what is kept of it."""
