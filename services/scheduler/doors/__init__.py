"""Questions that are answered by deciding, and change nothing: why is it there, and what if."""
