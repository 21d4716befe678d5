"""What a request does to the store, without HTTP: every door (REST, messages) calls these."""
