"""`hanse rollout`: how a change goes from cluster to cluster, and what is said to it."""
