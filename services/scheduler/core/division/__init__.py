"""How many each member gets: weights, room, limits, what runs already, and portions of a whole."""
