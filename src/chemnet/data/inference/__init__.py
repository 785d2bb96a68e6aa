"""What a trained network made of every sample: written batch by batch, read through memory maps."""
