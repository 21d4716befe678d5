"""Which of Hanse's own objects may be written, whichever door they come through. Pure."""
