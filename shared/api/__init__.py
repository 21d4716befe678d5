"""Hanse's own kinds: one module and one class per kind, and the one registry of them."""
