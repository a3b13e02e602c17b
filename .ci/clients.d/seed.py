"""Sends calls that hold everything a report can tell, and a test call, to a webhook source."""

import json
import sys
import urllib.request

url, source, secret = sys.argv[1:]
START = 1_793_610_000_000


def post(message):
    request = urllib.request.Request(
        f"{url}/ingest/{source}",
        data=json.dumps({"message": message}).encode(),
        headers={"content-type": "application/json", "x-vapi-secret": secret},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 200, response.status


def report(call, **told):
    return {
        "type": "end-of-call-report",
        "timestamp": START + 60_000,
        "startedAt": "2026-11-02T09:00:00.000Z",
        "endedAt": "2026-11-02T09:01:00.000Z",
        "endedReason": "customer-ended-call",
        "cost": 0.07,
        "call": {
            "id": call,
            "type": "inboundPhoneCall",
            "createdAt": "2026-11-02T08:59:58.000Z",
            "assistantId": "clients-assistant",
            "phoneNumberId": "clients-number",
            **told,
        },
    }


whole = report(
    "clients-whole",
    phoneCallProvider="twilio",
    phoneCallProviderId="CA0",
    squadId="squad-1",
    workflowId="workflow-1",
    assistantOverrides={"variableValues": {"plan": "gold"}},
)
whole["costs"] = [
    {"type": "transport", "provider": "twilio", "minutes": 1.0, "cost": 0.01},
    {"type": "model", "model": {"model": "m"}, "promptTokens": 257, "completionTokens": 31, "cost": 0.02},
    {"type": "vapi", "subType": "normal", "minutes": 1.0, "cost": 0.04},
]
whole["costBreakdown"] = {
    "transport": 0.01,
    "llm": 0.02,
    "vapi": 0.04,
    "total": 0.07,
    "llmPromptTokens": 257,
    "analysisCostBreakdown": {"summary": 0.001, "summaryPromptTokens": 12},
}
whole["analysis"] = {"summary": "A time was asked for.", "successEvaluation": "true"}
whole["artifact"] = {
    "messages": [
        {"role": "system", "message": "Be kind.", "time": START, "secondsFromStart": 0},
        {"role": "bot", "message": "Hello.", "time": START + 1280, "endTime": START + 2900, "secondsFromStart": 1.28, "duration": 1620, "source": "model"},
        {"role": "user", "message": "A time.", "time": START + 4000, "endTime": START + 5000, "secondsFromStart": 4, "duration": 1000},
        {"role": "tool_calls", "message": "", "time": START + 5500, "secondsFromStart": 5.5,
         "toolCalls": [{"id": "t-1", "type": "function", "function": {"name": "book", "arguments": "{}"}}]},
        {"role": "tool_call_result", "name": "book", "toolCallId": "t-1", "result": "booked", "time": START + 6000, "secondsFromStart": 6},
    ],
    "variableValues": {"plan": "gold"},
    "nodes": [{"nodeName": "greet"}],
    "transfers": [],
    "performanceMetrics": {"turnLatencyAverage": 812.5, "numUserInterrupted": 1},
    "pcapUrl": "https://storage.example.com/a.pcap",
    "logUrl": "https://storage.example.com/a.log",
}
post(whole)
post(report("clients-plain"))
post(report("clients-test", metadata={"test": True}))
