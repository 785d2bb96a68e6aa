"""Networks that compress abundances to latents and back."""
