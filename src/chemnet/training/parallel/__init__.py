"""Devices, memory and processes of a training."""
