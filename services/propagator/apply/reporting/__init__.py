"""What a worker tells: how each turn ended, how objects do, what drifted; to STATUS and EVENTS."""
