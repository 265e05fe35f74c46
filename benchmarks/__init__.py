"""Benchmarks: each prints its figure as a ratio against a baseline that was measured in the same run."""
