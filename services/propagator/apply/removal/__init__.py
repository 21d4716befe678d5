"""Removing what was ordered before, after looking at what else would go with it."""
