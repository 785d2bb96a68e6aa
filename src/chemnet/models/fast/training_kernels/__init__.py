"""Compiled code of the CPU: elementary functions, and what training does between matrix products."""
