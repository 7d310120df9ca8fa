"""Benchmarks: lossbook beside a named peer, both sides measured in one run.  ``python -m benchmarks``; never a test."""
