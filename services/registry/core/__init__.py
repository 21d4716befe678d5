"""The rules of membership: who may be a member, what it serves, what a command asks; pure."""
