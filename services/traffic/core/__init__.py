"""The rules of traffic: what is exported, by whom, and where it answers; pure."""
