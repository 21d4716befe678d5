"""Simulator: a member cluster in one process: the Kubernetes API over memory, nodes, workloads.

owns: itself
reads: -
consumes: requests over HTTPS
publishes: -
"""
