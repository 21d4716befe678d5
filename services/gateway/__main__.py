"""Run the gateway: `python -m services.gateway`, settings from HANSE_* variables."""

from services.gateway.service import serve
from services.gateway.settings import Settings
from shared.runtime.process import main

if __name__ == "__main__":
    raise SystemExit(main(Settings, serve))
