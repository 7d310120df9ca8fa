"""Losses: logits and labels to a scalar, one file per paper of this book, and files for those of others."""
