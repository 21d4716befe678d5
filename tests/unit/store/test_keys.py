"""Subjects of objects: one-to-one, safe, bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import ObjectKey
from shared.bus.matching import matches
from shared.errors import InvalidObject
from shared.store.keys import decode_subject, encode_subject, scope_filter
from shared.store.port import Scope

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
named = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
keys = st.builds(ObjectKey, group=text, resource=named, namespace=text, name=named)


@given(keys)
def test_every_key_comes_back_from_its_subject(key: ObjectKey) -> None:
    subject = encode_subject(key)
    assert decode_subject(subject) == key
    assert len(subject.split(".")) == 6
    assert not set(subject.removeprefix("$KV.OBJECTS.")) & set("*>$ \t\r\n")


@given(keys, keys)
def test_a_scopes_filter_takes_what_the_scope_covers(key: ObjectKey, other: ObjectKey) -> None:
    for scope in (
        Scope(),
        Scope(key.group),
        Scope(key.group, key.resource),
        Scope(key.group, key.resource, key.namespace),
        Scope(None, key.resource),
    ):
        for found in (key, other):
            assert matches(scope_filter(scope), encode_subject(found)) == scope.covers(found)


def test_the_longest_legal_name_fits_and_a_longer_one_is_refused() -> None:
    longest = ".".join(["a" * 63] * 3 + ["a.b" * 20])
    encode_subject(ObjectKey(longest[:253], "r" * 63, "n" * 63, longest[:253]))
    with pytest.raises(InvalidObject):
        encode_subject(ObjectKey("", "pods", "default", "n" * 2000))


def test_other_subjects_are_no_objects() -> None:
    for subject in ("$KV.OTHER.a.b.c.d", "$KV.OBJECTS.a.b.c", "$KV.OBJECTS.a.b.c.d.e"):
        with pytest.raises(ValueError, match=r".*"):
            decode_subject(subject)
