"""What a client asks: path and query, media types, bodies, and their limits."""
