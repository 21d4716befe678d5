"""A duty that one process at a time carries out: who holds it, for how long, and what follows."""
