"""Kinds served in more than one version: one object, stored in one of them."""
