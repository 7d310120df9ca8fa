"""Losses: logits and labels to a scalar, one file per paper."""
