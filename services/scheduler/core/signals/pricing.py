"""What a replica costs in an hour: what it asks for, by the price of the cluster that it is in."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from shared.api.cluster import Price
from shared.apimachinery.quantity import parse_quantity

_GIB = Decimal(2**30)
_GPU = "gpu"


class Amounts(NamedTuple):
    """Cores, GiB and GPUs."""

    cpu: float = 0.0
    memory: float = 0.0
    gpu: float = 0.0


ONE_OF_EACH = Amounts(1.0, 1.0)
"""What stands for a replica that asks for nothing where clusters are compared: a core and a GiB."""


def amounts_of(requests: Mapping[str, str]) -> Amounts:
    """Return what a replica asks for; GPUs are what is named so: `nvidia.com/gpu`."""
    return _amounts(tuple(sorted(requests.items())))


@lru_cache(maxsize=4_096)
def _amounts(requests: tuple[tuple[str, str], ...]) -> Amounts:
    cpu = memory = gpu = Decimal(0)
    for name, text in requests:
        if name == "cpu":
            cpu = parse_quantity(text)
        elif name == "memory":
            memory = parse_quantity(text) / _GIB
        elif _is_gpu(name):
            gpu += parse_quantity(text)
    return Amounts(float(cpu), float(memory), float(gpu))


def _is_gpu(resource: str) -> bool:
    """Of `nvidia.com/gpu`, `amd.com/gpu`, `gpu.intel.com/i915`."""
    group, _, name = resource.partition("/")
    return name == _GPU or group.startswith(f"{_GPU}.")


def rates_of(price: Price) -> Amounts | None:
    """Return the price of one of each; None for one that cannot be read, which nobody wrote."""
    try:
        found = [parse_quantity(text) for text in (price.cpu, price.memory, price.gpu)]
    except ValueError:
        return None
    return Amounts(*(float(one) for one in found))


def cost_of(amounts: Amounts, rates: Amounts) -> float:
    return round(sum(one * rate for one, rate in zip(amounts, rates, strict=True)), 9)
