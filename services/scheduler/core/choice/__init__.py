"""Which members take part: groups in their order, spread constraints, and the best choice."""
