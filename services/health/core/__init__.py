"""The rules of health: verdicts, taints, room and sums; pure."""
