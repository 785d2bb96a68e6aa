"""Emulators around an implicit step of the rate equations."""
