"""What the hub answers, for people."""
