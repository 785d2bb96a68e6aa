"""Results of `chemnet infer`: what it reads, how it writes what networks made of it, and how that is read."""
