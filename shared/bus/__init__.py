"""Messages between services: compacted logs, facts, commands, observations, requests."""
