"""What the server does by itself: garbage, namespaces that go, objects that expire."""
