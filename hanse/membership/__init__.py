"""Becoming a member, being emptied, and leaving."""
