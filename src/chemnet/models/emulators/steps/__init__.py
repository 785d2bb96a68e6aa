"""How an emulator advances a state by one time step: one network per file."""
