"""The shell of the registry: memberships, and the door for other systems."""
