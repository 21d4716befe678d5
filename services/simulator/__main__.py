"""`python -m services.simulator`."""

import sys

from services.simulator.service import serve
from services.simulator.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
