"""The shell of traffic: folding what members report, writing what follows from it."""
