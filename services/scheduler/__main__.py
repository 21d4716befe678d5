"""`python -m services.scheduler`: settings from the environment, until told to stop."""

import sys

from services.scheduler.service import serve
from services.scheduler.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
