"""Writing a kubeconfig: see `shared/runtime/kubeconfig.py`, which every process uses."""

from shared.runtime.kubeconfig import write_kubeconfig

__all__ = ["write_kubeconfig"]
