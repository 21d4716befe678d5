"""What people run, each rendered from the same plan by a module of its own; pure."""
