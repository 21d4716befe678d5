"""Quantities are read exactly and written as Kubernetes writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.quantity import (
    QuantityForm,
    add_quantities,
    canonical_quantity,
    form_of,
    format_quantity,
    parse_quantity,
    subtract_quantities,
    sum_resources,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("500m", "0.5"),
        ("250u", "0.00025"),
        ("7n", "0.000000007"),
        ("3k", "3000"),
        ("2M", "2000000"),
        ("1G", "1e9"),
        ("1T", "1e12"),
        ("1P", "1e15"),
        ("1E", "1e18"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("4Ei", "4611686018427387904"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("12e-1", "1.2"),
        ("1.", "1"),
        (".5", "0.5"),
        ("+1", "1"),
        ("-1.5", "-1.5"),
        (4, "4"),
        (0.5, "0.5"),
        # What is finer than a nano is rounded away from zero, and the largest value is a cap.
        ("0.1n", "1e-9"),
        ("-0.1n", "-1e-9"),
        ("9999Ei", str(2**63 - 1)),
        ("1e999999999", str(2**63 - 1)),
        ("1e-999999999", "1e-9"),
    ],
)
def test_every_way_of_writing_a_quantity_is_read_exactly(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "1i", "1mi", "1kb", "Gi", "1e", "1e1.5", "--1", "1,5", "٣", "1KI", True],
)
def test_what_is_no_quantity_is_refused_with_what_was_expected(text):
    with pytest.raises(ValueError, match="is not a quantity: expected a number"):
        parse_quantity(text)


def test_an_endless_text_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="is not a quantity") as refused:
        parse_quantity("9" * 1_000_000)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1023Ki", "1023Ki"),
        ("512Ki", "512Ki"),
        ("0.5Ki", "512"),
        ("0.0001Ki", "102400u"),
        ("1500", "1500"),
        ("15000", "15k"),
        ("1e3", "1e3"),
        ("1500e-3", "1500e-3"),
        ("0Gi", "0"),
        ("-2048Ki", "-2Mi"),
    ],
)
def test_the_canonical_form_is_that_of_the_api_server(text, canonical):
    assert canonical_quantity(text) == canonical


def test_the_form_in_which_a_quantity_was_written_is_known():
    assert form_of("1Gi") is QuantityForm.BINARY
    assert form_of("1G") is QuantityForm.DECIMAL
    assert form_of("1e9") is QuantityForm.EXPONENT


@given(
    nanos=st.integers(-(2**63) + 1, 2**63 - 1),
    power=st.sampled_from([0, 9]),
    form=st.sampled_from(QuantityForm),
)
def test_reading_what_was_written_gives_the_same(nanos, power, form):
    value = Decimal(nanos).scaleb(-power)
    written = format_quantity(value, form)
    assert parse_quantity(written) == value
    assert canonical_quantity(written) == written or form is not form_of(written)


def test_sums_and_differences_lose_nothing():
    values = [parse_quantity("8E"), parse_quantity("1n"), parse_quantity("-1n")]
    assert add_quantities(values) == Decimal("8e18")
    assert subtract_quantities(parse_quantity("8E"), parse_quantity("1n")) == Decimal(
        "7999999999999999999.999999999"
    )


def test_resource_lists_are_summed_by_name_in_the_form_first_seen():
    total = sum_resources(
        [{"cpu": "500m", "memory": "1Gi"}, {"cpu": 1, "memory": "512Mi", "pods": "3"}]
    )
    assert total == {"cpu": "1500m", "memory": "1536Mi", "pods": "3"}
