"""Logs, metrics and traces: used by shells only; a core explains itself by what it returns."""
