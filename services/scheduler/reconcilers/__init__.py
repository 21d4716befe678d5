"""What is written: decisions per template, and what is said on policies, quotas and references."""
