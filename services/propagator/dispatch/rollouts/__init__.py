"""Bindings whose policy has a rollout: which revision each cluster is ordered to hold, and why."""
