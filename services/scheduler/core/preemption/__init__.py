"""Priority: who gives way to whom where room is short."""
