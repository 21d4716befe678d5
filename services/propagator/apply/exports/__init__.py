"""Beside the works of a member: what it exports to other members, and what became of that."""
