"""Fused inference: what a surrogate computes, without what PyTorch adds around it."""
