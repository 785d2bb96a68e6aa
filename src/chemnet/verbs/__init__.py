"""The verbs: one file each, orchestration only."""
