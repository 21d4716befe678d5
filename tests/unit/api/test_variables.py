"""Variables of a cluster: found, replaced, and never left as a gap."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api.variables import UnusableVariable, expand, variables_in
from tests.overriding import EU


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${cluster.name}", "eu-1"),
        ("in ${cluster.region} by ${cluster.provider}", "in europe by acme"),
        ("${cluster.labels.tier}-${cluster.labels.a.example/b}", "gold-c"),
        ("$${cluster.name}", "${cluster.name}"),
        ("$$${cluster.name}", "$${cluster.name}"),
        ("$${cluster.no", "${cluster.no"),
        # What others expand is theirs.
        ("$(HOST) ${HOST} $HOST ${cluster} $cluster.name", None),
        ("{{ .cluster.name }} {{ $labels.cluster }} %{cluster.name}", None),
        ("${CLUSTER.name} ${ cluster.name }", None),
    ],
)
def test_a_text_is_expanded(text: str, result: str | None) -> None:
    assert expand(text, EU) == (text if result is None else result)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("${cluster.nme}", "no such variable"),
        ("${cluster.}", "no such variable"),
        ("${cluster.name", "closing brace"),
        ("${cluster.labels.}", "labels"),
        ("${cluster.labels.-x-}", "labels"),
    ],
)
def test_what_no_cluster_has_is_found_without_one(text: str, why: str) -> None:
    with pytest.raises(UnusableVariable, match=why):
        list(variables_in(text))
    with pytest.raises(UnusableVariable, match=why):
        expand(text, EU)


@pytest.mark.parametrize(
    ("text", "why"),
    [("${cluster.zone}", "eu-1 has no zone"), ("${cluster.labels.x}", "eu-1 has no label x")],
)
def test_what_this_cluster_lacks_is_an_error(text: str, why: str) -> None:
    assert list(variables_in(text))
    with pytest.raises(UnusableVariable, match=why):
        expand(text, EU)


@given(st.text(st.sampled_from("$ {}c") | st.characters()) | st.text())
def test_a_text_without_the_mark_stays_as_it_is(text: str) -> None:
    assert "${cluster." in text or expand(text, EU) == text


@given(st.lists(st.sampled_from(["$", "{", "}", "${cluster.", "name", "labels.", "a"])))
def test_every_text_is_expanded_or_refused(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        names = list(variables_in(text))
        found = expand(text, EU)
    except UnusableVariable:
        return
    assert names or "$${cluster." in text or found == text


@given(st.text())
def test_doubling_the_dollar_keeps_a_text(text: str) -> None:
    plain = text.replace("$", "") + "${cluster.name}"
    assert expand(plain.replace("${cluster.", "$${cluster."), EU) == plain
