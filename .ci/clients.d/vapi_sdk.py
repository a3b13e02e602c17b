"""Vapi's own SDK for Python, with another base URL and another token, and nothing else changed.

The SDK builds its models without checking them, so each is checked again here.
"""

import datetime as dt
import sys

import pydantic
from vapi import Vapi
from vapi.core.api_error import ApiError
from vapi.types import (
    BotMessage,
    Call,
    SystemMessage,
    ToolCallMessage,
    ToolCallResultMessage,
    UserMessage,
)

url, key, facts_key = sys.argv[1:]
client = Vapi(base_url=url, token=key)
BY_ROLE = {
    "bot": BotMessage,
    "user": UserMessage,
    "system": SystemMessage,
    "tool_calls": ToolCallMessage,
    "tool_call_result": ToolCallResultMessage,
}


def missing(model, kind):
    """The fields a type needs and a model does not have."""
    needed = [name for name, field in kind.model_fields.items() if field.is_required()]
    return [name for name in needed if getattr(model, name, None) is None]


def check(call):
    assert isinstance(call, Call), type(call)
    assert not missing(call, Call), (call.id, missing(call, Call))
    for time in ("created_at", "updated_at", "started_at", "ended_at"):
        value = getattr(call, time)
        assert value is None or isinstance(value, dt.datetime), (call.id, time, value)
    assert call.type in (None, "inboundPhoneCall", "outboundPhoneCall", "webCall"), call.type
    told = list(call.messages or []) + list(call.artifact.messages or [] if call.artifact else [])
    for message in told:
        kind = BY_ROLE[message.role]
        # Every message again, strictly, as the type its role means.
        dumped = message.dict(by_alias=True) if not isinstance(message, dict) else message
        kind.model_validate(dumped)
    for cost in call.costs or []:
        assert type(cost).__name__.startswith("CallCostsItem_"), type(cost)
        type(cost).model_validate(cost.dict(by_alias=True))


calls = client.calls.list(limit=1000)
assert len(calls) > 20, len(calls)
for call in calls:
    check(call)
assert [call.created_at for call in calls] == sorted((call.created_at for call in calls), reverse=True)
ids = [call.id for call in calls]
assert "clients-whole" in ids and "clients-test" not in ids

# Paging as scripts do it: the oldest seen bounds the next page.
seen, before = [], None
while True:
    page = client.calls.list(limit=20, created_at_le=before) if before else client.calls.list(limit=20)
    new = [call for call in page if call.id not in seen]
    if not new:
        break
    seen += [call.id for call in new]
    before = page[-1].created_at
assert set(seen) == set(ids), (len(seen), len(ids))

middle = calls[len(calls) // 2].created_at
filters = {
    "id": dict(id="clients-whole"),
    "assistant_id": dict(assistant_id="clients-assistant"),
    "phone_number_id": dict(phone_number_id="clients-number"),
    "created_at_gt": dict(created_at_gt=middle),
    "created_at_ge": dict(created_at_ge=middle),
    "created_at_lt": dict(created_at_lt=middle),
    "created_at_le": dict(created_at_le=middle),
}
for name, given in filters.items():
    found = client.calls.list(limit=10, **given)
    assert 0 < len(found) <= 10, (name, len(found))
updated = calls[0].updated_at
for name in ("updated_at_gt", "updated_at_ge", "updated_at_lt", "updated_at_le"):
    for call in client.calls.list(limit=5, **{name: updated}):
        check(call)

call = client.calls.get("clients-whole")
check(call)
assert [message.role for message in call.messages] == ["system", "bot", "user", "tool_calls", "tool_call_result"]
assert call.messages[1].seconds_from_start == 1.28, call.messages[1]
assert [cost.type for cost in call.costs] == ["transport", "model", "vapi"]
assert call.phone_call_provider == "twilio" and call.phone_call_provider_id == "CA0"
assert call.squad_id == "squad-1" and call.workflow_id == "workflow-1"
assert call.assistant_overrides.variable_values == {"plan": "gold"}
assert call.artifact.variable_values == {"plan": "gold"}
assert call.artifact.performance_metrics.turn_latency_average == 812.5
assert call.artifact.nodes[0].node_name == "greet"
assert call.artifact.pcap_url and call.artifact.log_url
assert call.cost == 0.07 and call.cost_breakdown.llm_prompt_tokens == 257
assert call.cost_breakdown.analysis_cost_breakdown.summary == 0.001
assert call.analysis.summary

masked = Vapi(base_url=url, token=facts_key).calls.get("clients-whole")
check(masked)
assert masked.messages is None and masked.cost == 0.07

results = client.analytics.get(
    queries=[
        {
            "table": "call",
            "name": "all",
            "operations": [{"operation": "count", "column": "id"}, {"operation": "sum", "column": "cost"}],
            "timeRange": {"start": "2020-01-01T00:00Z", "end": "2029-01-01T00:00Z"},
        }
    ]
)
assert int(results[0].result[0]["countId"]) == len(calls), (results, len(calls))

for ask, status in (
    (lambda: client.calls.get("nobody"), 404),
    (lambda: client.calls.list(limit=5000), 400),
    (lambda: Vapi(base_url=url, token="wrong").calls.list(), 401),
    (lambda: client.assistants.list(), 404),
    (lambda: client.calls.delete("clients-whole"), 405),
):
    try:
        ask()
    except ApiError as error:
        assert error.status_code == status, error
        assert error.body["statusCode"] == status and error.body["message"], error.body
    else:
        raise AssertionError(f"{status} was not raised")
print(f"vapi_server_sdk: {len(calls)} calls read, pydantic {pydantic.VERSION}")
