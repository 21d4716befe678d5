"""What a member's answer says, in words that fit a condition."""

from hypothesis import given
from hypothesis import strategies as st

from shared.memberapi.faults import error_of, read_status, shortened


@given(st.text(), st.integers(20, 100))
def test_what_is_shortened_fits_and_keeps_both_ends(text: str, limit: int) -> None:
    found = shortened(text, limit)
    assert len(found) <= limit
    assert found[:3] == text[:3]
    assert found[-3:] == text[-3:]


def test_what_is_wrong_is_said_after_a_whole_object_was_quoted() -> None:
    body = b'{"message":"spec.template: Invalid value: %s: field is immutable","code":422}'
    fault = error_of(read_status(body % (b"x" * 9_000)), 422, None, "eu-1")
    assert str(fault).startswith("spec.template: Invalid value: xxx")
    assert str(fault).endswith("xxx: field is immutable")
    assert len(str(fault)) == 1_000


def test_a_server_that_answers_in_plain_text_is_quoted() -> None:
    assert read_status(b"Client sent HTTP\n").message == "Client sent HTTP"
    for body in (b"", b"<html>no</html>", b"\xff\x00"):
        assert read_status(body).message is None
