"""What the scheduler keeps in mind of the store, parsed once, and whom a change concerns."""
