"""What is written is what is read, with the revision put in its place."""

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import ObjectKey, decode
from shared.store.body import decode_stored, encode_body
from shared.store.port import Revision

KEY = ObjectKey("", "configmaps", "default", "x")
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
objects = st.dictionaries(st.text(max_size=8), json, max_size=5)


@given(objects, objects, st.integers(1, 2**62))
def test_reading_adds_the_revision_and_nothing_else(
    rest: dict[str, object], metadata: dict[str, object], revision: int
) -> None:
    manifest = {**rest, "metadata": metadata}
    stored = decode_stored(KEY, Revision(revision), encode_body(KEY, manifest))
    expected = {**rest, "metadata": {**metadata, "resourceVersion": str(revision)}}
    assert stored.manifest == expected
    assert decode(stored.encoded) == expected


def test_an_old_resource_version_and_missing_metadata_do_not_matter() -> None:
    old = encode_body(KEY, {"kind": "X", "metadata": {"resourceVersion": "1", "name": "x"}})
    assert decode_stored(KEY, Revision(2), old).manifest["metadata"]["resourceVersion"] == "2"
    assert decode_stored(KEY, Revision(3), encode_body(KEY, {})).manifest == {
        "metadata": {"resourceVersion": "3"}
    }


def test_json_of_other_writers_is_read_too() -> None:
    stored = decode_stored(KEY, Revision(4), b' {"kind": "X", "metadata": null}')
    assert stored.manifest == {"kind": "X", "metadata": {"resourceVersion": "4"}}
