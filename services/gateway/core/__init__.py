"""What the gateway decides, purely: what a Work shows."""
