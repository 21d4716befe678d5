import pytest

from shared.apiserver.requests.list_options import ListOptions, read_list_options
from shared.apiserver.status_errors import ApiFault


@pytest.mark.parametrize(
    "query",
    [
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Sometime", "resourceVersion": "1"},
        {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1", "continue": "x"},
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "false"},
    ],
)
def test_options_of_a_list_that_contradict_each_other_are_invalid(query):
    with pytest.raises(ApiFault) as fault:
        read_list_options(query, watch=False)
    assert fault.value.code == 422
    assert fault.value.details["kind"] == "ListOptions"


@pytest.mark.parametrize(
    "query",
    [
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact", "resourceVersion": "1"},
        {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"},
    ],
)
def test_options_of_a_watch_that_contradict_each_other_are_invalid(query):
    with pytest.raises(ApiFault) as fault:
        read_list_options(query, watch=True)
    assert fault.value.code == 422


@pytest.mark.parametrize(
    "query", [{"limit": "x"}, {"timeoutSeconds": "1.5"}, {"resourceVersion": "-1"}]
)
def test_what_is_no_number_is_refused(query):
    with pytest.raises(ApiFault) as fault:
        read_list_options(query, watch=False)
    assert fault.value.code == 400


@pytest.mark.parametrize("query", [{}, {"resourceVersion": "0"}, {"resourceVersion": ""}])
def test_a_watch_from_nowhere_begins_with_the_present_state(query):
    assert read_list_options(query, watch=True).initial_events is True


def test_a_watch_from_a_version_or_told_otherwise_does_not():
    assert read_list_options({"resourceVersion": "7"}, watch=True).initial_events is None
    told = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}
    assert read_list_options(told, watch=True).initial_events is False


def test_a_negative_limit_is_none():
    assert read_list_options({"limit": "-5"}, watch=False) == ListOptions()
