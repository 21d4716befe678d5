"""Quotas of namespaces and of groups of clusters, as decisions keep them."""
