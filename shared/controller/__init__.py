"""Reconcile machinery, once: results, the queue of keys, the loop."""
