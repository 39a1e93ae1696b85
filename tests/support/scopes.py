"""Scopes of autonomy and tool calls, any that can be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import strategies as st

from specspan.call import CallContext, ToolCall
from specspan.checks.tool_calls import out_of_scope
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

NOW = datetime.now(timezone.utc)
TOOLS = ("search", "refund", "delete")
ARGUMENTS = ("amount", "currency")

plain = st.sampled_from([0, 1, 1.0, True, False, "1", "EUR", "USD", 50])
numbers = st.sampled_from([None, -1, 0, 1, 2.5, 50])

limits = st.builds(
    ArgumentLimit,
    max=numbers,
    min=numbers,
    one_of=st.none() | st.lists(plain, max_size=4).map(tuple),
    patterns=st.lists(st.sampled_from(["E.R", "[A-Z]+", r"\d"]), max_size=2).map(tuple),
    optional=st.booleans(),
    forbidden=st.booleans(),
)
costs = st.builds(Cost, st.sampled_from([Decimal(0), Decimal("0.50"), Decimal(5)]), st.sampled_from(["EUR", "USD"]))
scopes = st.builds(
    ScopeOfAutonomy,
    allowed_tools=st.none() | st.lists(st.sampled_from(TOOLS)).map(tuple),
    limits=st.dictionaries(
        st.sampled_from(TOOLS), st.dictionaries(st.sampled_from(ARGUMENTS), limits, max_size=2), max_size=2
    ),
    deadline=st.none() | st.sampled_from([NOW - timedelta(days=1), NOW + timedelta(days=1)]),
    cost_limit=st.none() | costs,
    details=st.dictionaries(st.sampled_from(["case", "why"]), st.text(max_size=3), max_size=2),
)
tool_calls = st.builds(
    ToolCall,
    st.sampled_from(TOOLS),
    st.dictionaries(st.sampled_from(ARGUMENTS), plain | st.none(), max_size=2) | st.just("not an object"),
)


def allows(scope: ScopeOfAutonomy, tool: ToolCall) -> bool:
    """Whether the tool may be called within the scope, nothing having been spent."""
    return out_of_scope(CallContext(scope=scope), tool) is None
