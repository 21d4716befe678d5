"""How many files and connections this process may have open at a time."""

import contextlib
import resource


def allow_open_files() -> None:
    """Raise the soft limit to the hard one, as Go's runtime does for a kube-apiserver.

    The usual soft limit of 1,024 is there for programs that call select(2); a thousand watchers
    of one gateway are more connections than that.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Some systems call a limit unlimited that they then refuse.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
