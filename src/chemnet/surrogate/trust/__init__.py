"""How far a prediction can be trusted: where a surrogate was trained, and signs of its own error."""
