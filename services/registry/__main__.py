"""`python -m services.registry`: settings from the environment, until told to stop."""

import sys

from services.registry.service import serve
from services.registry.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    sys.exit(main(Settings, serve))
