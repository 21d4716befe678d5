"""The services of Hanse: independent processes that meet only on NATS."""
