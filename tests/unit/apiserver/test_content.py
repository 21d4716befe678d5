"""What Secrets and ConfigMaps become when they are written."""

from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.writing.write_rules import keep_allocated, prepare_content

KINDS = {kind.gvk: kind for kind in builtin_kinds()}
SECRET = KINDS[GroupVersionKind("", "v1", "Secret")]
SERVICE = KINDS[GroupVersionKind("", "v1", "Service")]
CONFIG_MAP = KINDS[GroupVersionKind("", "v1", "ConfigMap")]


def test_text_of_a_secret_is_kept_with_its_data() -> None:
    found = prepare_content(SECRET, {"data": {"a": "YQ==", "b": "Yg=="}, "stringData": {"b": "c"}})
    assert found == {"type": "Opaque", "data": {"a": "YQ==", "b": "Yw=="}}


def test_text_of_another_type_is_left_for_the_schema_to_refuse() -> None:
    assert prepare_content(SECRET, {"stringData": {"b": 5}})["stringData"] == {"b": 5}


def test_a_key_without_a_value_is_there() -> None:
    assert prepare_content(SECRET, {"data": {"tls.crt": None}})["data"] == {"tls.crt": ""}
    assert prepare_content(CONFIG_MAP, {"data": {"a": None}}) == {"data": {"a": ""}}


def test_an_update_that_leaves_out_an_address_keeps_what_a_server_gave() -> None:
    given = {"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}}
    assert keep_allocated(SERVICE, given, {"spec": {}}) == given
    headless = {"spec": {"clusterIP": "None"}}
    assert keep_allocated(SERVICE, headless, {"spec": {}}) == headless


def test_an_update_that_leaves_out_an_address_takes_back_what_a_writer_wished() -> None:
    wish = {"spec": {"clusterIP": "10.0.0.1"}}
    assert keep_allocated(SERVICE, wish, {"spec": {}}) == {"spec": {}}
