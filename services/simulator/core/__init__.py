"""What the cluster does, as pure functions: objects and the moment in, writes out."""
