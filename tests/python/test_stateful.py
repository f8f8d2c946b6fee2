"""The client against a plain dict: any sequence of calls, by two sessions, over crashes of the daemon."""

from __future__ import annotations

import gc
import os
import signal
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from same import same

import vineyard
from vineyard.launch import Daemon

leaf = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=50)
    | st.binary(max_size=300)
    | st.binary(min_size=70_000, max_size=70_010)
    | st.integers(0, 3000).map(lambda size: np.arange(size, dtype=np.float32))
)
values = leaf | st.lists(leaf, max_size=4) | st.tuples(leaf, leaf) | st.dictionaries(st.text(max_size=5), leaf, max_size=3)
names = st.sampled_from(["a", "b", "ü", "a/b", "x" * 1024])


class ClientAgainstDict(RuleBasedStateMachine):
    """`objects`: id -> value; `named`: name -> id; `links`: how many stored parents hold an id."""

    ids = Bundle("ids")
    views = Bundle("views")

    @initialize()
    def connect(self) -> None:
        # Of its own: a keeper whose daemons die young one after another waits longer each time.
        self.daemon = Daemon("--meta", "local", "--size", "64Mi")
        self.crashes = 0
        self.clients = [vineyard.connect(self.daemon.socket, timeout=20) for _ in range(2)]
        self.held: list[list[Any]] = []  # views, with the value that they must have
        self.objects: dict[Any, Any] = {}
        self.named: dict[str, Any] = {}
        self.revisions: dict[str, int] = {}
        self.parents: dict[Any, Any] = {}  # id -> id of the object that it is a member of

    @property
    def client(self) -> vineyard.Client:
        self.clients.reverse()
        return self.clients[0]

    @rule(target=ids, value=values)
    def put(self, value: Any) -> Any:
        number = self.client.put(value)
        assert number not in self.objects
        self.objects[number] = value
        return number

    @rule(target=ids, value=values, name=names, replace=st.booleans())
    def put_named(self, value: Any, name: str, replace: bool) -> Any:
        try:
            number = self.client.put(value, name=name, replace=replace)
        except vineyard.AlreadyExists:
            assert name in self.named and not replace
            return multiple()
        assert name not in self.named or replace
        self.objects[number] = value
        self.named[name] = number
        self.revisions.pop(name, None)
        return number

    @rule(target=ids, inner=ids, extra=leaf)
    def put_link(self, inner: Any, extra: Any) -> Any:
        try:
            number = self.client.put([inner, extra])
        except vineyard.ObjectNotFound:
            assert inner not in self.objects
            return multiple()
        assert inner in self.objects
        self.objects[number] = [self.objects[inner], extra]
        self.parents[number] = inner
        return number

    @rule(number=ids, copy=st.booleans())
    def get(self, number: Any, copy: bool) -> None:
        if number in self.objects:
            assert same(self.client.get(number, copy=copy), self.objects[number])
        else:
            assert self.client.get(number, default=self) is self

    @rule(target=views, number=ids)
    def hold(self, number: Any) -> Any:
        if number not in self.objects:
            return multiple()
        view = [self.client.get(number), self.objects[number]]
        self.held.append(view)
        return view

    @rule(view=views)
    def look(self, view: Any) -> None:
        assert same(*view)

    @rule(view=consumes(views))
    def drop(self, view: Any) -> None:
        self.held = [each for each in self.held if each is not view]
        view.clear()
        gc.collect()

    @rule(target=ids, view=views)
    def put_again(self, view: Any) -> Any:
        number = self.client.put(view[0])
        self.objects[number] = view[1]
        return number

    @rule(number=ids)
    def delete(self, number: Any) -> None:
        # Members of a deleted object stay while a view holds it: then only the object itself goes.
        deep = not self.held
        try:
            self.client.delete(number, deep=deep)
        except vineyard.ObjectNotFound:
            assert number not in self.objects
        except vineyard.InUse:
            assert any(inner == number and parent in self.objects for parent, inner in self.parents.items())
        else:
            assert number in self.objects
            inner = self.parents.get(number) if deep else None
            gone = {number}
            # deep: a member that nobody else holds goes too.
            while inner is not None and inner in self.objects and not any(
                held == inner and parent in self.objects and parent not in gone for parent, held in self.parents.items()
            ):
                gone.add(inner)
                inner = self.parents.get(inner)
            for each in gone:
                del self.objects[each]
            self.named = {name: each for name, each in self.named.items() if each not in gone}

    @rule(number=ids, name=names, mode=st.sampled_from(["new", "replace", "expect"]))
    def put_name(self, number: Any, name: str, mode: str) -> None:
        keywords: dict[str, Any] = {}
        if mode == "replace":
            keywords["replace"] = True
        elif mode == "expect":
            keywords["expect"] = self.revisions.get(name, 0)
        try:
            self.revisions[name] = self.client.put_name(number, name, **keywords)
        except vineyard.ObjectNotFound:
            assert number not in self.objects
        except vineyard.AlreadyExists:
            assert mode == "new" and name in self.named
        except vineyard.Conflict:
            assert mode == "expect"
        else:
            assert number in self.objects and (mode != "new" or name not in self.named)
            self.named[name] = number

    @rule(name=names)
    def drop_name(self, name: str) -> None:
        try:
            self.client.drop_name(name)
        except vineyard.ObjectNotFound:
            assert name not in self.named
        else:
            del self.named[name]

    @rule()
    def reconnect(self) -> None:
        self.clients.pop().close()
        self.clients.append(vineyard.connect(self.daemon.socket, timeout=20))

    @precondition(lambda self: len(self.objects) > 3 and self.crashes < 4)
    @rule()
    def crash(self) -> None:
        self.crashes += 1
        os.kill(self.client.status.pid, signal.SIGKILL)

    @invariant()
    def names_and_existence_agree(self) -> None:
        if not hasattr(self, "clients"):
            return
        assert self.client.list_names("*", limit=None) == self.named
        for number in list(self.objects)[-3:]:
            assert self.client.exists(number)

    def teardown(self) -> None:
        if hasattr(self, "clients"):
            for view in self.held:
                view.clear()
            gc.collect()
            for client in self.clients:
                client.close()
            self.daemon.stop()


def test_any_sequence_of_calls() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        ClientAgainstDict, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )
