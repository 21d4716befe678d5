"""What goes where others go: who needs whom, and where that lets it live."""
