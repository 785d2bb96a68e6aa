"""Very many cells, or very few at the least cost."""
