"""The networks that chemnet brings with it."""
