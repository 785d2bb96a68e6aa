"""Surrogates as bundles for other languages: a C library with its weights, ONNX, PyTorch programs."""
