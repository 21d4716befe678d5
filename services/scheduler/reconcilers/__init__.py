"""The shell of the scheduler: what it keeps in mind, decisions per template, status per policy."""
