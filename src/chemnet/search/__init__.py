"""Vector databases, exact search and reductions of the latent space."""
