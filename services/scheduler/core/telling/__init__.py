"""A decision in bindings, facts and words."""
