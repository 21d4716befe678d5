"""The shell of health: probing members, passing verdicts, folding statuses."""
