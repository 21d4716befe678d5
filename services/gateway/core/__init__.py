"""What the gateway decides, purely: which of Hanse's objects may be, and what a Work shows."""
