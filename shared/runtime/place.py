"""By which name a process is known among its like."""

import os
import socket


def process_name() -> str:
    """A name that no other process has: that of the machine, or container, and more if need be."""
    # The first process of a container is alone in it, and has the same name when it starts anew.
    return socket.gethostname() if os.getpid() == 1 else f"{socket.gethostname()}-{os.getpid()}"
