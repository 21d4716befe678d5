"""What a written object must be, and what a write may change."""
