"""OpenAPI of everything served, versions 3 and 2, for `kubectl explain`, apply and create."""

from shared.apiserver.openapi.serving import routes

__all__ = ["routes"]
