"""From orders to objects: one worker per member makes it so, keeps it so, reports what it sees."""
