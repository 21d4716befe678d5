"""Objects by key, with revisions, compare-and-set and a watch: the state of record."""
