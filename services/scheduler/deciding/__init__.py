"""Taking a decision: reading what counts, asking plugins and solvers, running the pure function."""
