"""The webhooks of the test: the samples of each provider with its proof, and generated calls."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse

SECRETS = {"vapi": "a-shared-secret-1", "retell": "a-retell-api-key-1", "twilio": "a-twilio-auth-token-1"}
FOLDERS = {"vapi": ["vapi", "vapi-legacy"], "retell": ["retell"], "twilio": ["twilio"]}
FORM = "application/x-www-form-urlencoded"


def samples(fixtures):
    """Returns provider, name and body of each sample, in one order."""
    found = []
    for provider, folders in FOLDERS.items():
        for folder in folders:
            for path in sorted((fixtures / folder).iterdir()):
                is_message = path.suffix == (".form" if provider == "twilio" else ".json")
                if is_message and path.stem != "signature-vector":
                    found.append((provider, f"{folder}/{path.name}", path.read_bytes()))
    return found


def call(call_id, nth):
    """Returns the two messages of a generated call: its start and its report."""
    began = 1_793_610_000_000 + nth * 60_000
    about = {"id": call_id, "type": "inboundPhoneCall", "customer": {"number": f"+155501{nth % 100:02}01"}}
    start = {"type": "status-update", "status": "in-progress", "timestamp": began, "call": about}
    report = {
        "type": "end-of-call-report",
        "timestamp": began + 45_000,
        "endedReason": "customer-ended-call",
        "cost": 0.05,
        "call": about,
    }
    return [json.dumps({"message": message}).encode() for message in (start, report)]


def headers(provider, url, body):
    """Returns the headers with which a provider sends a body to a URL."""
    secret = SECRETS[provider].encode()
    if provider == "vapi":
        return {"content-type": "application/json", "x-vapi-secret": SECRETS["vapi"]}
    if provider == "retell":
        now = str(int(time.time() * 1000))
        digest = hmac.new(secret, body + now.encode(), hashlib.sha256).hexdigest()
        return {"content-type": "application/json", "x-retell-signature": f"v={now},d={digest}"}
    fields = sorted(set(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)))
    signed = url + "".join(name + value for name, value in fields)
    tag = base64.b64encode(hmac.new(secret, signed.encode(), hashlib.sha1).digest()).decode()
    return {"content-type": FORM, "x-twilio-signature": tag}
