import pytest

from shared.apiserver.json_path import compile_path, first

OBJECT = {
    "metadata": {"annotations": {"a.b/c": "x"}},
    "spec": {
        "list": ["a", "b", "c"],
        "objects": [{"name": "x", "size": 1}, {"name": "y", "size": 5}],
        "zero": 0,
    },
    "status": {"conditions": [{"type": "A", "status": "True"}, {"type": "B", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.zero", [0]),
        ("spec.zero", [0]),
        ("{.spec.zero}", [0]),
        ("$.spec.zero", [0]),
        (".spec.list[1]", ["b"]),
        (".spec.list[-1]", ["c"]),
        (".spec.list[0:2]", ["a", "b"]),
        (".spec.list[*]", ["a", "b", "c"]),
        (".spec.list[7]", []),
        (".spec.absent.deeper", []),
        (".spec.objects[*].name", ["x", "y"]),
        (".spec.objects[?(@.size>2)].name", ["y"]),
        (".spec.objects[?(@.size == 1)].name", ["x"]),
        (".spec.objects[?(@.absent)].name", []),
        (".spec.objects[?(@.name<3)].name", []),
        ('.status.conditions[?(@.type=="B")].status', ["False"]),
        (".status.conditions[?(@.type=='B')].status", ["False"]),
        (r".metadata.annotations.a\.b/c", ["x"]),
        (".metadata.annotations['a.b/c']", ["x"]),
        ("..name", ["x", "y"]),
    ],
)
def test_a_path_finds_its_values(path: str, found: list[object]):
    assert compile_path(path)(OBJECT) == found


@pytest.mark.parametrize("path", [".spec[", ".a[?(", ".spec.[x]", "..", ".a['b"])
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(ValueError, match="invalid JSON path"):
        compile_path(path)


def test_the_first_value_of_many_counts_and_none_is_none():
    assert first(".spec.list[*]", OBJECT) == "a"
    assert first(".nowhere", OBJECT) is None


def test_what_is_reached_in_many_ways_is_found_once() -> None:
    value: dict[str, object] = {}
    for _ in range(60):
        value = {"a": value}
    # The ways are 60 over 30, which is more than a server has time for.
    assert len(compile_path("..a" * 30)(value)) == 31
    assert first("..a" * 30 + ".b", value) is None
