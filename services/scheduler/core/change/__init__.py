"""What moves what has its place: causes, restraint, and moving without losing."""
