"""`context` and `override`: what the application says, where it holds and where it does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import date

import pytest

from specspan.call import CallContext
from specspan.decision import Override, OverrideKind
from specspan.instrument.context import context, current_context, current_overrides, override, revoke
from specspan.scope.scope import ScopeOfAutonomy


def test_it_holds_inside_the_block_only() -> None:
    """What is said holds from the block's beginning to its end."""
    with context(conversation="c-9", user="u-7", under_18=True):
        assert current_context() == CallContext("c-9", "u-7", attributes={"under_18": True})
    assert current_context() == CallContext()


def test_it_holds_inside_an_async_block() -> None:
    """A block is entered with ``async with``, too."""

    async def work() -> CallContext:
        async with context(conversation="c-9"), override("be_concise", by="developer", reason="long"):
            assert len(current_overrides()) == 1
            return current_context()

    assert asyncio.run(work()) == CallContext("c-9")


class Reader:
    """A class whose methods are inside blocks."""

    @context(user="u-7")
    @staticmethod
    def user() -> str | None:
        return current_context().user


def test_methods_of_every_kind_are_decorated() -> None:
    """A static method is inside the block, too; a class is refused."""
    assert (Reader.user(), Reader().user()) == ("u-7", "u-7")
    with pytest.raises(TypeError, match=r"cannot decorate <class '.*Reader'>"):
        context(user="u-7")(Reader)


def test_inner_values_take_the_place_of_outer_ones() -> None:
    """Blocks nest: what the inner one leaves out, the outer one still says."""
    with context(conversation="c-1", user="u-1", tier="free", under_18=True), context(user="u-2", tier="paid"):
        assert current_context() == CallContext("c-1", "u-2", attributes={"tier": "paid", "under_18": True})


@pytest.mark.parametrize(
    ("outer", "inner", "both"),
    [
        (None, None, None),
        (("a", "b"), None, ("a", "b")),
        (None, ("a", "b"), ("a", "b")),
        (("a", "b", "c"), ("c", "x", "b"), ("c", "b")),
        (("a",), ("b",), ()),
        (("a",), (), ()),
        ((), ("a",), ()),
    ],
)
def test_a_scope_only_narrows(
    outer: tuple[str, ...] | None, inner: tuple[str, ...] | None, both: tuple[str, ...] | None
) -> None:
    """Inside, a tool is allowed that every enclosing scope allows; no scope allows every tool, an empty one none."""
    with context(scope=ScopeOfAutonomy(outer)), context(scope=ScopeOfAutonomy(inner)), context(user="u"):
        assert current_context().scope == ScopeOfAutonomy(both)
    assert current_context().scope is None


def test_overrides_add_up() -> None:
    """Every enclosing override is declared, outermost first."""
    with override("be_concise", by="developer", reason="long form", until=date(2027, 1, 1)):
        with override("be_formal", by="user", reason="asked"):
            assert current_overrides() == (
                Override("be_concise", "developer", "long form", date(2027, 1, 1)),
                Override("be_formal", "user", "asked"),
            )
    assert current_overrides() == ()


def test_what_was_said_is_taken_back_in_its_turn() -> None:
    """A revocation is declared after what it revokes; how it was said, and where it was asked for, is kept."""
    with override("be_concise", by="user", reason="a pirate", implicit=True, source="/input/2"):
        with revoke("be_concise", by="developer", reason="enough"):
            assert current_overrides() == (
                Override("be_concise", "user", "a pirate", None, OverrideKind.IMPLICIT, "/input/2"),
                Override("be_concise", "developer", "enough", None, OverrideKind.REVOKE),
            )
    assert current_overrides() == ()


def test_an_exception_leaves_the_block() -> None:
    """A block that is left by an exception passes it on and holds no longer."""
    with pytest.raises(LookupError), override("x", by="user", reason="y"):
        raise LookupError
    assert current_overrides() == ()


async def test_it_follows_into_tasks_and_stays_out_of_others() -> None:
    """A task sees what was said where it was made, and says nothing to others."""

    async def inner() -> CallContext:
        seen = current_context()
        context(user="inner").__enter__()
        return seen

    with context(user="outer"):
        assert (await asyncio.create_task(inner())).user == "outer"
        assert current_context().user == "outer"


def test_it_may_be_left_in_another_context() -> None:
    """A block inside an async generator that another task closes is left without an error."""

    async def speaking() -> AsyncIterator[str | None]:
        with context(user="u"):
            yield current_context().user

    async def main() -> None:
        reader = speaking()
        assert await asyncio.create_task(anext(reader)) == "u"  # type: ignore[arg-type]  # a coroutine at run time
        with contextlib.suppress(StopAsyncIteration):
            await anext(reader)
        assert current_context() == CallContext()

    asyncio.run(main())


def test_they_decorate_functions_and_coroutines() -> None:
    """As decorators they hold during each call, also of a coroutine that waits and of one that calls itself."""

    @context(user="u")
    def said(depth: int = 0) -> str | None:
        """Says."""
        return said(depth - 1) if depth else current_context().user

    @override("c", by="user", reason="r")
    async def declared() -> tuple[Override, ...]:
        await asyncio.sleep(0)
        return current_overrides()

    assert said(2) == "u"
    assert said.__doc__ == "Says."
    assert asyncio.run(declared()) == (Override("c", "user", "r"),)
    assert (current_context(), current_overrides()) == (CallContext(), ())


def test_they_refuse_generator_functions() -> None:
    """A generator function is told to use a block in its body."""

    def words() -> Iterator[str]:
        yield "w"

    with pytest.raises(TypeError, match="use 'with' inside its body"):
        context(user="u")(words)
