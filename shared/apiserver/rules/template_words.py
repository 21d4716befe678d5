"""Annotations of templates that Hanse reads: a word that means nothing is refused. Pure."""

from collections.abc import Sequence

from shared.api.template_words import senseless_words
from shared.apimachinery.manifest import annotations_of, name_of
from shared.apiserver.admission import Write
from shared.errors import FieldError, InvalidObject


class TemplateWords:
    """An admission for every kind."""

    def admit(self, write: Write) -> Sequence[str]:
        """What was stored before is not judged again while it stays as it is."""
        new, old = write.new, write.old
        if new is None or (old is not None and annotations_of(old) == annotations_of(new)):
            return ()
        if wrong := senseless_words(new):
            faults = [
                FieldError(f"metadata.annotations[{name}]", f"Invalid value: {why}")
                for name, why in wrong.items()
            ]
            raise InvalidObject(f"{write.kind.gvk.kind} {name_of(new)} breaks its rules", faults)
        return ()
