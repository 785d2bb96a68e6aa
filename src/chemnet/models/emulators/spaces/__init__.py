"""What an emulator advances: an autoencoder's latents, or the scaled abundances themselves."""
