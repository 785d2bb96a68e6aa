"""Several emulators of one kind as one model."""
