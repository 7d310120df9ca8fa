"""Losses: class metrics and labels to a scalar, one file a paper."""
