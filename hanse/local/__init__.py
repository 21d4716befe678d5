"""A federation on this machine: its processes, its folder, its ports."""
