"""`python -m services.propagator`: settings from the environment, until told to stop."""

import sys

from services.propagator.service import serve
from services.propagator.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
