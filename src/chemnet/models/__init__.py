"""Networks and losses: pure PyTorch, one file per model, one contract for all."""
