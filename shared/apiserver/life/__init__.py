"""What becomes of an object when it is created, updated or deleted: pure, for any kind."""
