"""Runtimes: padded arrays in, logits out as arrays."""
