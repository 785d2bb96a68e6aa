"""Faster than plain PyTorch: fused gradients and compiled kernels, each beside its plain form."""
