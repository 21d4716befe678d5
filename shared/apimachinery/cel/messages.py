"""Values that are no JSON: quantities, URLs, addresses and versions, each a message of one text.

Two of a kind are equal where their texts are, so each is made with its canonical text.
"""

from typing import Any

from cel_expr_python import cel
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "kubernetes"
_NAMES = ("Quantity", "URL", "IP", "CIDR", "Semver")
_TEXT = descriptor_pb2.FieldDescriptorProto


def declared() -> descriptor_pb2.FileDescriptorProto:
    """Return the file of these messages, for the pool of an environment."""
    file = descriptor_pb2.FileDescriptorProto(
        name="kubernetes.proto", package=_PACKAGE, syntax="proto3"
    )
    for name in _NAMES:
        message = file.message_type.add(name=name)
        message.field.add(name="text", number=1, type=_TEXT.TYPE_STRING, label=_TEXT.LABEL_OPTIONAL)
    return file


POOL = descriptor_pool.DescriptorPool()
POOL.Add(declared())
_CLASSES = {
    name: message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
    for name in _NAMES
}

QUANTITY = cel.Type(f"{_PACKAGE}.Quantity")
URL = cel.Type(f"{_PACKAGE}.URL")
IP = cel.Type(f"{_PACKAGE}.IP")
CIDR = cel.Type(f"{_PACKAGE}.CIDR")
SEMVER = cel.Type(f"{_PACKAGE}.Semver")


def message(name: str, text: str) -> Any:
    """Return a value of the kind *name* (`Quantity`), whose canonical form is *text*."""
    return _CLASSES[name](text=text)
