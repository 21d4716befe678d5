"""Calling a member cluster's Kubernetes API."""
