"""Signals: what clusters cost, emit, how soon they answer, and what other systems say of them.

They order clusters and weigh shares. None of them ever rules a cluster out, and none moves what
runs: a missing one is neither good nor bad.
"""
