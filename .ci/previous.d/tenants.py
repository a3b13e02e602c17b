"""A tenant of the test: its sources, keys, webhooks, calls and events."""

import collections
import concurrent.futures
import json
import threading
import time

import webhooks

# Pause of what is repeated, so that it does not take all processor time.
PAUSE_S = 0.02


class Tenant:
    """A tenant with a source of each provider, made by one of the builds."""

    def __init__(self, build, slug):
        self.slug = slug
        self.tenant_id = build.run("tenant", "create", "--slug", slug, "--country", "US")["tenant_id"]
        self.paths = {}
        for provider, secret in webhooks.SECRETS.items():
            made = build.run("source", "create", "--tenant", slug, "--provider", provider, "--secret", secret)
            self.paths[provider] = made["path"]
        self.keys = {}
        for name, scopes in {"read": "read", "personal": "read,personal", "admin": "read,write,admin"}.items():
            made = build.run("key", "create", "--tenant", slug, "--scopes", scopes)
            self.keys[name] = made["api_key"]

    def post(self, server, provider, body):
        """Sends a webhook, again if the server is busy, as platforms with a retry plan do."""
        path = self.paths[provider]
        for _ in range(100):
            headers = webhooks.headers(provider, server.url + path, body)
            status, answer = server.send(path, body=body, headers=headers)
            if status != 503:
                return status, answer
            time.sleep(0.1)
        raise AssertionError(f"{server.build.name} is busy for 10 s: {answer}")

    def post_to_all(self, servers, provider, body):
        """Sends one webhook to several servers at once; returns their answers."""
        together = threading.Barrier(len(servers))

        def post(server):
            together.wait()
            return self.post(server, provider, body)

        with concurrent.futures.ThreadPoolExecutor(len(servers)) as senders:
            return list(senders.map(post, servers))

    def change(self, server, method, path, body, wanted):
        """Sends a request that must be answered with the wanted status; returns the body."""
        status, answer = server.send(path, self.keys["admin"], body, method=method)
        assert status == wanted, f"{server.build.name}: {method} {path} was answered {status}: {answer}"
        return answer

    def calls(self, server):
        """Returns each call by its id, as a key without and a key with personal data reads it."""
        found = {}
        for row in server.pages("/v1/calls", self.keys["read"], limit=100):
            path = f"/v1/calls/{row['call_id']}"
            found[row["call_id"]] = {
                "row": row,
                "read": server.get(path, self.keys["read"]),
                "personal": server.get(path, self.keys["personal"]),
            }
        return found

    def events(self, build):
        """Returns the events of the log, which are dense and recorded once."""
        code, printed, log = build.ran("export", "events", "--tenant", self.slug)
        assert code == 0, log
        events = [json.loads(line) for line in printed.splitlines()]
        assert [one["position"] for one in events] == list(range(1, len(events) + 1)), self.slug
        assert len({one["event_id"] for one in events}) == len(events), self.slug
        return events

    def counts(self, build):
        """Returns the number of facts about calls by type."""
        facts = {fact(one) for one in self.events(build) if one["type"].startswith("call.")}
        return collections.Counter(one[0] for one in facts)


def fact(event):
    """What an event is counted by. A tool call that both builds answered, because the platform sent it
    to each, is recorded with both answers and is one tool call.
    """
    if event["type"] != "call.tool_called":
        return event["type"], event["event_id"]
    facts = event["facts"]
    return event["type"], event["stream_id"], facts.get("tool_call_id"), facts["tool"], facts.get("args")


class Repeated:
    """Repeats an action in a thread until it is stopped. A fault of the action is raised then."""

    def __init__(self):
        self.fault = None
        self.is_stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while not self.is_stopped.is_set():
                self.act()
                time.sleep(PAUSE_S)
        except BaseException as fault:
            self.fault = fault

    def end(self):
        self.is_stopped.set()
        self.thread.join()
        if self.fault:
            raise self.fault


class Traffic(Repeated):
    """Sends generated calls, each start to the servers in turn and each report to all of them at once."""

    def __init__(self, tenant, server):
        self.tenant, self.servers, self.calls = tenant, [server], 0
        super().__init__()

    def act(self):
        start, report = webhooks.call(f"steady-{self.calls}", self.calls)
        servers = list(self.servers)
        answers = [self.tenant.post(servers[self.calls % len(servers)], "vapi", start)]
        answers += self.tenant.post_to_all(servers, "vapi", report)
        taken = sorted((status, answer["status"]) for status, answer in answers)
        wanted = [(200, "duplicate")] * (len(servers) - 1) + [(200, "recorded")] * 2
        assert taken == wanted, f"a start and its report at {len(servers)} servers: {answers}"
        self.calls += 1

    def stop(self):
        """Ends the traffic; returns the number of calls, of which each has two events."""
        self.end()
        return self.calls


class Reader(Repeated):
    """Reads a page and a call. A migration that folds calls again leaves them out until it is done."""

    def __init__(self, tenant, server, call_id):
        self.key, self.server, self.path = tenant.keys["read"], server, f"/v1/calls/{call_id}"
        self.reads, self.busy, self.is_settled = 0, 0, False
        super().__init__()

    def act(self):
        is_settled = self.is_settled
        for path, without in (("/v1/calls?limit=10", 200), (self.path, 404)):
            status, answer = self.server.send(path, self.key)
            # Reads wait for a table that is changed for a second at most.
            wanted = {200} if is_settled else {200, without, 503}
            assert status in wanted, f"{self.server.build.name}: GET {path} was answered {status}: {answer}"
            self.busy += status == 503
            self.reads += 1

    def settle(self):
        """From now on the call has to be there."""
        self.is_settled = True

    def stop(self):
        """Ends the reads; returns their number, and that of answers 503."""
        self.end()
        return self.reads, self.busy
