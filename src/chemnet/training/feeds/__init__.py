"""Batches: which rows or windows a network sees, and in which order."""
