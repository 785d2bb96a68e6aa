"""Results of one verb side by side."""
