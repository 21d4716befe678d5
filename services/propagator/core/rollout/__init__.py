"""How a change travels from cluster to cluster: stages, gates, rollback and revisions (pure)."""
