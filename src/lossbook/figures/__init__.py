"""Figures drawn from data frames, one file a paper: no training, no files."""
