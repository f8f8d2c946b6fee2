"""Contexts: who builds and who resolves which type."""

from __future__ import annotations

import collections
import threading
from typing import Any, Callable

import numpy as np
import pytest

import vineyard
from vineyard.core import (
    builder_context,
    context,
    default_builder_context,
    default_resolver_context,
    driver_context,
    resolver_context,
)

Named = collections.namedtuple("Named", "a b")


class Point:
    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y


def build_point(client: Any, value: Point, builder: Any) -> vineyard.ObjectMeta:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "my::Point"
    meta.add_member("x", builder.run(client, value.x))
    meta.add_member("y", builder.run(client, value.y))
    return meta


def resolve_point(obj: Any, resolver: Any) -> Point:
    return Point(resolver.run(obj.member("x")), resolver.run(obj.member("y")))


def test_a_keyword_that_nobody_takes_is_refused_before_anything_is_stored(client: vineyard.Client) -> None:
    number = client.put([1, 2])
    for call, said in (
        (lambda: client.get(number, verfy=True), "get: unexpected keyword 'verfy'.*did you mean 'verify'"),
        (lambda: client.get(12345, default=None, defualt=1), "'defualt'.*'default'"),
        (lambda: client.get(name="nobody", wait=True), "get: unexpected keyword 'wait'"),
        (lambda: client.put(b"fast", presist=True), "put: unexpected keyword 'presist'.*'persist'"),
        (lambda: client.put([1], replce=True, name="n"), "'replce'.*'replace'"),
        (lambda: client.put(1, builder=lambda client, value: client.put(2), scale=1), "'scale'"),
        (lambda: client.get(number, resolver=lambda obj, factor: 1, fator=1), "'fator'.*'factor'"),
        (lambda: client.get(number, resolver=resolver_context(), factor=1), "'factor'"),
        (lambda: client.get_remote_blob(number, unsaf=True), "'unsaf'"),
    ):
        with pytest.raises(TypeError, match=said):
            call()
    assert client.list_names() == {} and list(client.objects()) == [number]


def test_a_type_of_ones_own(client: vineyard.Client) -> None:
    with context() as (builders, resolvers, _):
        builders.register(Point, build_point)
        resolvers.register("my::Point", resolve_point)
        number = client.put([Point([1, 2], np.arange(3.0)), 5])
        assert client.get_meta(number)["__elements_-0"].typename == "my::Point"
        got = client.get(number)
        assert got[0].x == [1, 2] and got[0].y.tolist() == [0, 1, 2] and got[1] == 5
    assert isinstance(client.get(number)[0], vineyard.Object)
    assert client.get_meta(client.put(Point(1, 2))).typename == "vineyard::PickleBuffer"


def test_keywords_are_optional_and_reach_who_declares_them(client: vineyard.Client) -> None:
    seen: list[Any] = []

    def build(client: Any, value: Any, scale: int = 1, **rest: Any) -> Any:
        seen.append((scale, sorted(rest)))
        return client.put(float(value.x * scale))

    def plain(client: Any, value: Any) -> Any:
        return client.put(-1.0)

    with builder_context({Point: build}):
        assert client.get(client.put(Point(2, 0), scale=10, other=1)) == 20.0
    assert seen == [(10, ["builder", "other"])]
    with builder_context({Point: plain, complex: lambda client, value, scale: client.put(scale)}):
        assert client.get(client.put(Point(2, 0), scale=10)) == -1.0, "another builder takes it"
    assert client.get(client.put(Point(3, 0), builder=build)) == 3.0
    number = client.put([1, 2, 3])
    assert client.get(number, resolver=lambda obj, factor=1: len(obj) * factor, factor=5) == 15
    with resolver_context({"vineyard::List": lambda obj: "short", "of another": lambda obj, factor: 1}) as inner:
        assert client.get(number, factor=5) == "short"
    assert client.get(number, resolver=inner) == "short" and client.get(number) == [1, 2, 3]


def test_a_builder_may_return_an_id_an_object_or_metadata_and_nothing_else(client: vineyard.Client) -> None:
    number = client.put(["made"])
    for result in (number, client.get_object(number), client.get_meta(number)):
        with builder_context({Point: lambda client, value: result}):
            assert client.get(client.put(Point(1, 2))) == ["made"]
            assert client.get(client.put([Point(1, 2)])) == [["made"]]
    with builder_context({Point: lambda client, value: "text"}):
        with pytest.raises(vineyard.TypeMismatch, match="builder of Point: it returned str"):
            client.put(Point(1, 2))


def test_an_inner_context_wins_over_an_outer_one(client: vineyard.Client) -> None:
    number, pair = client.put([1]), client.put((1, 2))
    with resolver_context({"vineyard::List": lambda obj: "outer", "vineyard::Pair": lambda obj: "pair"}):
        assert client.get(number) == "outer"
        with resolver_context({"vineyard::Sequence": lambda obj: "sequence"}):
            assert client.get(number) == "sequence" == client.get(pair)  # by is-a
        with resolver_context() as inner:
            inner.register("vineyard::Tuple", lambda obj: "tuple")
            inner.register("vineyard::Sequence", lambda obj: "sequence")
            assert client.get(pair) == "tuple" and client.get(number) == "sequence"
        assert client.get(pair) == "pair"
    assert client.get(pair) == (1, 2)


def test_the_default_context_prefers_the_exact_type(client: vineyard.Client) -> None:
    default_resolver_context.register("vineyard::Sequence", lambda obj: "any sequence")
    try:
        assert client.get(client.put([1])) == [1]
    finally:
        default_resolver_context.unregister("vineyard::Sequence")
        default_resolver_context.plain = True
    vineyard.data.register_builtin_types(default_builder_context, default_resolver_context)
    assert client.get(client.put([1])) == [1]


def test_variants_of_a_type_name(client: vineyard.Client) -> None:
    meta = vineyard.ObjectMeta()
    meta["typename"] = "my::Box<double>"
    number = client.create_metadata(meta).id
    with resolver_context({"my::Box": lambda obj: obj.typename}):
        assert client.get(number) == "my::Box<double>"
    with resolver_context({"my::Box": lambda obj: 1, "my::Box<double>": lambda obj: 2}):
        assert client.get(number) == 2


def test_ours_are_for_exact_types_and_yours_for_subclasses_too(client: vineyard.Client) -> None:
    assert client.get_meta(client.put(Named(1, 2))).typename == "vineyard::PickleBuffer"
    with builder_context({tuple: lambda client, value: client.put(list(value), builder=default_builder_context)}):
        assert client.get(client.put(Named(1, 2))) == [1, 2] == client.get(client.put((1, 2)))
        assert client.get(client.put([(1, 2), [3]])) == [[1, 2], [3]]
    with builder_context({int: lambda client, value: client.put(str(value))}):
        assert client.get(client.put([1, True, "x", (2, 3)])) == ["1", "True", "x", ("2", "3")]


def test_contexts_are_of_one_thread(client: vineyard.Client) -> None:
    seen: list[Any] = []
    with resolver_context({"vineyard::List": lambda obj: "mine"}):
        number = client.put([1])
        thread = threading.Thread(target=lambda: seen.append(client.get(number)))
        thread.start()
        thread.join()
        assert client.get(number) == "mine" and seen == [[1]]


def test_who_is_registered_can_be_asked(client: vineyard.Client) -> None:
    assert list in vineyard.get_current_builders() and "vineyard::List" in vineyard.get_current_resolvers()
    with builder_context({Point: build_point}) as mine:
        assert vineyard.get_current_builders() is mine and Point in list(mine) and bytes in list(mine)
        assert "1 of its own" in repr(mine)
    for bad in (5, "x"):
        with pytest.raises(vineyard.TypeMismatch, match="a type was expected"):
            default_builder_context.register(bad, lambda: 0)
    with pytest.raises(vineyard.TypeMismatch, match="a type name was expected"):
        default_resolver_context.register(int, lambda: 0)
    with pytest.raises(vineyard.InvalidArgument, match="a callable was expected"):
        default_resolver_context.register("x", 5)


def test_drivers_add_methods(client: vineyard.Client) -> None:
    obj = client.get_object(client.put(np.arange(4.0)))
    with driver_context() as drivers:
        drivers.register("vineyard::Tensor", "mean", lambda obj, scale=1: float(obj.numpy().mean()) * scale)
        assert obj.mean() == 1.5 and obj.mean(scale=2) == 3.0
    with pytest.raises(AttributeError, match="mean"):
        obj.mean()


def test_plugins_are_loaded_for_the_first_unknown_type(
    client: vineyard.Client, python: Callable[..., str], tmp_path: Any
) -> None:
    (tmp_path / "angles.py").write_text(
        """
import vineyard
print("imported")

class Angle:
    def __init__(self, degrees):
        self.degrees = degrees

def build(client, value):
    meta = vineyard.ObjectMeta()
    meta["typename"], meta["degrees"] = "angles::Angle", value.degrees
    return meta

def register():
    print("registered")
    vineyard.default_builder_context.register(Angle, build)
    vineyard.default_resolver_context.register("angles::Angle", lambda obj: Angle(obj["degrees"]))
"""
    )
    (tmp_path / "angles-1.0.dist-info").mkdir()
    (tmp_path / "angles-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: angles\nVersion: 1.0\n")
    (tmp_path / "angles-1.0.dist-info" / "entry_points.txt").write_text("[vineyard.plugins]\nangles = angles:register\n")
    writer = """
sys.path.insert(0, sys.argv[1])
client = vineyard.connect()
client.put([1, {"a": "b"}, b"x"])
print("angles" in sys.modules)
from angles import Angle
client.put([Angle(90), Angle(45)], name="angles")
print(client.get_meta(client.get_name("angles"))["__elements_-0"].typename)
"""
    assert python(writer, tmp_path).split() == ["False", "imported", "registered", "angles::Angle"]
    reader = """
sys.path.insert(0, sys.argv[1])
print([angle.degrees for angle in vineyard.connect().get(name="angles")])
"""
    assert python(reader, tmp_path) == "imported\nregistered\n[90, 45]\n"
    # Where the plugin is not installed its objects are plain ones.
    assert python("print(type(vineyard.connect().get(name='angles')[0]).__name__)") == "Object\n"


def test_an_exception_of_a_builder_passes_through_and_nothing_is_stored(client: vineyard.Client) -> None:
    before = client.status.objects, client.status.blobs
    with builder_context({Point: lambda client, value: 1 / 0}):
        with pytest.raises(ZeroDivisionError):
            client.put([b"x" * 100, Point(1, 2)])
    assert (client.status.objects, client.status.blobs) == before


def test_a_context_says_what_its_keys_are_and_how_they_are_found() -> None:
    from vineyard.core.registry import Registry

    with pytest.raises(TypeError, match="_checked_key.*_find"):
        Registry()  # type: ignore[abstract]
