"""What must be said and done, decided without doing it."""
