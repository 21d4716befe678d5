"""Placing a set of workloads together: what may go where, what it is worth, and the best of it."""
