"""`hanse demo`: the main job on three simulated members, checked against what they really hold."""
