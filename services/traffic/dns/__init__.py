"""The shell of DNS: sockets, signatures, transfers, and servers of other people."""
