"""From decisions to orders: reads bindings, templates, overrides and clusters; writes WORK."""
