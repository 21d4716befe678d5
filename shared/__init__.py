"""What at least two of Hanse's services need; the layers are in `.importlinter`."""
