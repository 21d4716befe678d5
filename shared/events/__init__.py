"""Contracts of everything that crosses NATS: envelopes, facts, commands, subjects."""
