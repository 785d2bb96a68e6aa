"""A network as plain data: elements, species, reactions, and what can be said of them without any rate."""
