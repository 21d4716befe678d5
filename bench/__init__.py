"""Benchmarks: each prints a table with its floor."""
