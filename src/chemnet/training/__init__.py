"""Training and inference engines, resume, tracking."""
