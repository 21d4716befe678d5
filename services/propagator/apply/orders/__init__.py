"""Which orders stand for a member: read at the start, read again, and the newest of an object."""
