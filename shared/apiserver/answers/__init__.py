"""What a client gets: objects, lists, tables and events in the form asked for."""
