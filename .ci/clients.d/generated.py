"""The generated Python client reads a page and a call."""

import sys

from call_ledger_client import AuthenticatedClient
from call_ledger_client.api.analytics import get_analytics_summary
from call_ledger_client.api.calls import get_call, list_calls
from call_ledger_client.models import CallDetail, CallDirection, CallPage

url, key = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key)
page = list_calls.sync(client=client, limit=5, direction=CallDirection.INBOUND)
assert isinstance(page, CallPage), page
assert 0 < len(page.data) <= 5
assert all(call.direction == CallDirection.INBOUND for call in page.data)
following = list_calls.sync(client=client, limit=5, direction=CallDirection.INBOUND, cursor=page.next_cursor)
assert not {call.call_id for call in page.data} & {call.call_id for call in following.data}
detail = get_call.sync(client=client, call_id=str(page.data[0].call_id))
assert isinstance(detail, CallDetail), detail
summary = get_analytics_summary.sync(client=client)
assert summary.calls > 0
print(f"generated Python client: {summary.calls} calls counted")
