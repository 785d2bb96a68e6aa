"""Networks that advance latents or abundances by one time step."""
