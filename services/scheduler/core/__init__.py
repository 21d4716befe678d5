"""What the scheduler knows, pure: a snapshot goes in, a decision comes out."""
