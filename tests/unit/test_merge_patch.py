"""The merge patches that go to the apiserver (RFC 7396)."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagesources.kube.port import merge_patch

Json = dict[str, Any]

_LEAVES = st.integers(0, 2) | st.sampled_from(["", "a"])
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), _VALUES, max_size=3)
"""What ``to_json`` writes: absent instead of null, at every depth."""


def applied(target: Any, patch: Any) -> Any:
    """Applies a merge patch: the pseudo code of RFC 7396, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = applied(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_merge_patch_gives_new(old: Json, new: Json) -> None:
    """Applied to the old object, the patch gives the new one."""
    assert applied(old, merge_patch(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_merge_patch_empty(old: Json, new: Json) -> None:
    """There is nothing to write exactly when nothing differs."""
    assert (merge_patch(old, new) == {}) is (old == new)
    assert merge_patch(old, deepcopy(old)) == {}


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"b": 3}, id="only what differs"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}, id="at depth"),
        pytest.param({"a": {"b": 1}}, {}, {"a": None}, id="an object removed"),
        pytest.param({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}, id="an object emptied"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an empty object added"),
        pytest.param({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, {"a": [{"b": 2}]}, id="a list as a whole"),
    ],
)
def test_merge_patch_is_small(old: Json, new: Json, patch: Json) -> None:
    """The patch says no more than it must."""
    assert merge_patch(old, new) == patch
