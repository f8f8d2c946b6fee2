"""Trees that are deeper than one get, or one put, goes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import vineyard
from vineyard.core.resolvers import MAX_DEPTH, ResolverContext

def chain(client: vineyard.Client, levels: int) -> vineyard.ObjectID:
    """Lists one in the other, each put on its own; now and then another container."""
    number = client.put([])
    for level in range(levels - 1):
        number = client.put([[number], (number,), (number, level), {"below": number}][level % 4])
    return number


def depth(value: Any) -> int:
    levels = 1
    while value:
        value = value["below"] if isinstance(value, dict) else value[0]
        levels += 1
    return levels


def test_a_tree_of_objects_is_got_up_to_a_depth_that_the_error_names(client: vineyard.Client) -> None:
    deepest = chain(client, MAX_DEPTH)
    assert depth(client.get(deepest)) == MAX_DEPTH
    assert depth(client.get(deepest, copy=True)) == MAX_DEPTH
    above = client.put([deepest])
    for wanted in (above, chain(client, 3000)):
        with pytest.raises(vineyard.LimitExceeded, match=f"object o[0-9a-f]{{16}}: more than {MAX_DEPTH} levels"):
            client.get(wanted)
    assert depth(client.get(deepest)) == MAX_DEPTH


def test_a_get_on_a_stack_that_is_nearly_used_up_is_an_error_of_vineyard(client: vineyard.Client) -> None:
    number = chain(client, MAX_DEPTH)

    def deeper(frames: int) -> Any:
        return deeper(frames - 1) if frames else client.get(number)

    with pytest.raises(vineyard.LimitExceeded, match="setrecursionlimit") as caught:
        deeper(sys.getrecursionlimit() - 300)
    assert isinstance(caught.value.__cause__, RecursionError)
    assert depth(client.get(number)) == MAX_DEPTH


def test_one_resolver_may_get_what_is_deeper_on_its_own(client: vineyard.Client) -> None:
    number = chain(client, MAX_DEPTH)
    above = client.put([number])
    context = ResolverContext({"vineyard::List": lambda obj: obj.id}, vineyard.get_current_resolvers())
    assert client.get(above, resolver=context) == above


def test_metadata_that_is_too_deep_for_a_put_is_an_error_of_vineyard(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    for _ in range(3000):
        above = vineyard.ObjectMeta()
        above["typename"] = meta["typename"] = "my::Thing"
        above.add_member("below", meta)
        meta = above
    with pytest.raises(vineyard.InvalidArgument, match="nested more than 60 deep"):
        client.create_metadata(meta)
    with pytest.raises(vineyard.LimitExceeded, match="nested too deep"):
        client.put(meta)
