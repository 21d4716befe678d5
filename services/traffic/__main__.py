"""`python -m services.traffic`: settings from the environment, until told to stop."""

import sys

from services.traffic.service import serve
from services.traffic.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
