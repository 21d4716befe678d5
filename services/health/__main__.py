"""`python -m services.health`: settings from the environment, until told to stop."""

import sys

from services.health.service import serve
from services.health.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
