"""The `hanse` command and the Python client for other systems."""
