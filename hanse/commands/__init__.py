"""One module per subcommand: its options, what it does, its exit status."""
