"""The controllers as loops: woken by key, they read the view, ask the core, and write."""
