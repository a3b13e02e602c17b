"""An upgrade from the previous release to this build over one database, servers replaced one by one.

    upgrade.py <previous release's program> <this build's program> <directory> <repository> <last migration>

The last migration is the number of the newest one that the previous release has.
"""

import datetime
import pathlib
import re
import sys
import time

from builds import PATIENCE_S, Build
from tenants import Reader, Tenant, Traffic
import webhooks

BEGAN = time.monotonic()

# Fields that this build fills where the previous release has nothing: a call without a name shows the name that its
# contact has now, and a key without scope personal reads the texts of the conversation redacted.
FILLED = re.compile(
    r"/personal/customer/name"
    r"|(/read)?/(messages|transcript|summary|analysis|structured_data|tool_calls/\d+/(arguments|result))"
)


# Reads of which only the status is checked: they state progress, or count hours that pass.
PROGRESS = ("/v1/projections", "/v1/webhook-metrics/", "/openapi.json", "/metrics", "/readyz")

# Fields that the reads themselves change, and those with the time or the build of an answer.
OF_THE_ANSWER = {"as_of", "events", "events_by_type", "last_used_at", "next_cursor"}


def step(text):
    print(f"-- {text} ({time.monotonic() - BEGAN:.0f}s)", flush=True)


def differences(before, after, where=""):
    """Returns one sentence for each field of the first value that the second has not or has otherwise."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name in OF_THE_ANSWER:
                continue
            if name in after:
                yield from differences(value, after[name], f"{where}/{name}")
            else:
                yield f"{where}/{name} is missing"
    elif isinstance(before, list) and before and all(isinstance(one, dict) and "stage" in one for one in before):
        # A later build may put a stage between two others.
        stages = [{one["stage"]: one for one in stages} for stages in (before, after)]
        yield from differences(*stages, where)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for nth, (one, other) in enumerate(zip(before, after)):
            yield from differences(one, other, f"{where}/{nth}")
    elif before != after and not (before is None and FILLED.fullmatch(where)):
        yield f"{where}: {before!r} became {after!r}"


def check_calls(before, after):
    """Each call of before is there with the values that it had, and there is no other."""
    assert before.keys() == after.keys(), f"other calls: {before.keys() ^ after.keys()}"
    found = [f"{call} {one}" for call in before for one in differences(before[call], after[call])]
    assert not found, "calls differ:\n" + "\n".join(found)


def eventually(what, check):
    """Waits until a check returns something true, and returns it."""
    end = time.monotonic() + PATIENCE_S
    while not (found := check()):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.2)
    return found


def has_caught_up(server):
    """Whether the server is ready and every read model is at the end of the log, with no key parked."""
    status, ready = server.send("/readyz")
    ends = ("lag_events", "halted", "parked")
    return status == 200 and ready["migrations"] == "ok" and all(ready[name] == 0 for name in ends)


class Upgrade:
    def __init__(self, previous, this, repository, last_migration):
        self.previous, self.this = previous, this
        self.samples = webhooks.samples(repository / "tests/fixtures")
        files = sorted(path.name for path in (repository / "migrations").glob("*.sql"))
        self.migrations = [name for name in files if int(name[:4]) > last_migration]

    def run(self):
        self.fill()
        self.migrate()
        self.start_beside()
        self.webhooks_at_each()
        self.changes_at_each()
        self.rebuild()
        self.no_way_back()
        self.this_build_alone()

    def fill(self):
        step("the previous release records the samples")
        self.previous.run("db", "start")
        names = ("before", "at-previous", "at-this", "at-both", "steady", "changed")
        self.tenants = {name: Tenant(self.previous, name) for name in names}
        self.before = self.tenants["before"]
        self.old = self.previous.serve()
        self.answers = {}
        for provider, name, body in self.samples:
            status, answer = self.before.post(self.old, provider, body)
            assert status == 200 or answer["code"] == "unrecognized-message", f"{name}: {answer}"
            self.answers[name] = (status, str(answer.get("status")))
        self.counts = self.before.counts(self.previous)
        assert self.counts.total() > 50, f"there are few events: {self.counts}"
        self.wait_for_read_models(self.old)
        self.calls = self.before.calls(self.old)
        assert len(self.calls) > 30, f"there are few calls: {len(self.calls)}"
        self.found = self.filtered(self.old)
        assert all(self.found.values()), f"a filter finds nothing: {self.found}"
        self.contract = self.old.get("/openapi.json", None)
        self.reads = self.reads_of(self.old)
        assert len(self.reads) > 15, f"few operations are read: {list(self.reads)}"

    def reads_of(self, server):
        """Sends each GET of the previous release's contract; returns the answers by path."""
        call_id, call = next(iter(self.calls.items()))
        values = {"call_id": call_id, "id": call["row"]["provider_call_id"], "name": "plan"}
        answers = {}
        for path, operations in self.contract["paths"].items():
            if "get" not in operations or path.startswith("/ingest") or path.endswith("/diff"):
                continue
            needed = [one["name"] for one in operations["get"].get("parameters", []) if one.get("required")]
            query = {"by": "ended_reason"} if "by" in needed else {}
            answers[path] = server.get(path.format(**values), self.before.keys["admin"], **query)
        return answers

    def filtered(self, server):
        """Returns the ids of the calls that each filter finds."""
        numbers = {call["personal"]["customer"]["phone"] for call in self.calls.values()}
        filters = [("phone", one) for one in sorted(filter(None, numbers))]
        filters += [("status", "ended"), ("direction", "inbound")]
        key = self.before.keys["personal"]
        page = lambda name, value: server.pages("/v1/calls", key, limit=100, **{name: value})
        return {one: {call["call_id"] for call in page(*one)} for one in filters}

    def check_reads(self, server):
        """The reads have the values that the previous release gave before the migration."""
        check_calls(self.calls, self.before.calls(server))
        # This build finds a call by each of its numbers.
        found = self.filtered(server)
        missing = {one: calls - found[one] for one, calls in self.found.items() if calls - found[one]}
        assert not missing, f"{server.build.name} does not find {missing}"
        now = self.reads_of(server)
        found = [
            f"{path} {one}"
            for path in self.reads
            if not path.startswith(PROGRESS)
            for one in differences(self.reads[path], now[path])
        ]
        assert not found, f"{server.build.name} answers otherwise:\n" + "\n".join(found)

    def wait_for_read_models(self, *servers):
        for server in servers:
            eventually(f"the read models are at the end, for {server.build.name}", lambda: has_caught_up(server))

    def migrate(self):
        step("this build migrates while the server of the previous release takes webhooks")
        pending = self.this.run("migrate", "--dry-run")["pending"]
        assert [pathlib.Path(one["file"]).name for one in pending] == self.migrations, pending
        self.traffic = Traffic(self.tenants["steady"], self.old)
        self.reader = Reader(self.before, self.old, next(iter(self.calls)))
        eventually("there is traffic", lambda: self.traffic.calls > 5 or self.traffic.fault)
        applied = self.this.run("migrate")["applied"]
        assert applied == len(self.migrations), f"{applied} of {len(self.migrations)}"

    def start_beside(self):
        step("a server of this build starts beside it")
        self.new = self.this.serve()
        self.traffic.servers.append(self.new)
        last = self.before.events(self.this)[-1]["position"]
        for server in (self.new, self.old):
            is_there = lambda: server.send(f"/v1/calls?min_position={last}", self.before.keys["read"])[0] == 200
            eventually(f"the calls are folded again, for {server.build.name}", is_there)
        self.reader.settle()
        for server in (self.old, self.new):
            self.check_reads(server)

    def webhooks_at_each(self):
        step("webhooks at each build, and the same one at both")
        # Its sources, secrets and keys are written by this build and read by the previous release.
        made = self.tenants["made-by-this"] = Tenant(self.this, "made-by-this")
        at = [(self.tenants["at-previous"], self.old), (made, self.old), (self.tenants["at-this"], self.new)]
        for provider, name, body in self.samples:
            for tenant, server in at:
                status, answer = tenant.post(server, provider, body)
                found = (status, str(answer.get("status")))
                assert found == self.answers[name], f"{server.build.name}: {name}: {answer}"
            status, word = self.answers[name]
            words = ["duplicate", "recorded"] if word == "recorded" else [word] * 2
            both = self.tenants["at-both"].post_to_all([self.old, self.new], provider, body)
            found = sorted((status, str(answer.get("status"))) for status, answer in both)
            assert found == [(status, one) for one in words], f"{name} at both builds: {both}"
        for slug in ("before", "at-previous", "made-by-this", "at-this", "at-both"):
            counts = self.tenants[slug].counts(self.this)
            assert counts == self.counts, f"{slug} has {counts}, not {self.counts}"
        calls, (reads, busy) = self.traffic.stop(), self.reader.stop()
        counts = self.tenants["steady"].counts(self.this)
        assert counts == {"call.started": calls, "call.ended": calls}, f"{counts} of {calls} calls"
        self.wait_for_read_models(self.old, self.new)
        for tenant in self.tenants.values():
            check_calls(tenant.calls(self.old), tenant.calls(self.new))
        print(f"   {calls} calls and {reads} reads meanwhile, {busy} of them answered 503")

    def changes_at_each(self):
        step("changes at each build, of what the other one wrote")
        tenant = self.tenants["changed"]
        for nth in range(10):
            for body in webhooks.call(f"changed-{nth}", nth):
                tenant.post((self.old, self.new)[nth % 2], "vapi", body)
        self.wait_for_read_models(self.old, self.new)
        for maker, user in ((self.old, self.new), (self.new, self.old)):
            self.keys_and_sources(tenant, maker, user)
            self.cursors(tenant, maker, user)
        change = tenant.change
        change(self.new, "PATCH", "/v1/tenant", {"name": "Example Dental"}, 200)
        change(self.old, "PATCH", "/v1/tenant", {"country": "GB"}, 200)
        change(self.new, "PUT", "/v1/settings/hours", {}, 200)
        change(self.old, "PUT", "/v1/settings/plan", {"calls": 10}, 200)
        for server in (self.old, self.new):
            profile = server.get("/v1/tenant", tenant.keys["admin"])
            assert (profile["name"], profile["country"]) == ("Example Dental", "GB"), profile
            assert server.get("/v1/settings/plan", tenant.keys["admin"])["calls"] == 10
        self.additions_to_a_call(tenant)

    def keys_and_sources(self, tenant, maker, user):
        """A key and a source are made at one build, used and ended at the other."""
        key = tenant.change(maker, "POST", "/v1/keys", {"scopes": ["read"]}, 201)
        user.get("/v1/calls", key["api_key"])
        tenant.change(user, "DELETE", f"/v1/keys/{key['key_id']}", None, 204)
        revoked = lambda: maker.send("/v1/calls", key["api_key"])[0] == 401
        eventually(f"{maker.build.name} refuses a key that {user.build.name} revoked", revoked)

        body = {"provider": "vapi", "secret": webhooks.SECRETS["vapi"]}
        source = tenant.change(maker, "POST", "/v1/sources", body, 201)
        sent = webhooks.call(f"source-of-{maker.build.name}", 11)[0]
        send = lambda server: server.send(source["path"], body=sent, headers=webhooks.headers("vapi", "", sent))
        answers = [send(user), send(maker)]
        assert [answer["status"] for _, answer in answers] == ["recorded", "duplicate"], answers
        tenant.change(user, "POST", f"/v1/sources/{source['source_id']}/disable", {}, 200)
        eventually(f"{maker.build.name} refuses a disabled source", lambda: send(maker)[0] == 404)

    def cursors(self, tenant, maker, user):
        """The cursor of a page continues the list at the other build, or is refused by name."""
        key = tenant.keys["read"]
        first = maker.get("/v1/calls", key, limit=3)
        second = maker.get("/v1/calls", key, limit=3, cursor=first["next_cursor"])
        status, other = user.send(f"/v1/calls?limit=3&cursor={first['next_cursor']}", key)
        if status == 200:
            assert not list(differences(second["data"], other["data"])), "another page"
        else:
            assert (status, other["errors"][0]["pointer"]) == (400, "/cursor"), other

    def additions_to_a_call(self, tenant):
        """This build adds to a call what the previous release does not have, which still reads it."""
        call_id = self.old.get("/v1/calls", tenant.keys["read"])["data"][0]["call_id"]
        now = datetime.datetime.now(datetime.timezone.utc)
        start = now.replace(microsecond=0, second=0) + datetime.timedelta(days=30)
        contact = {"name": "A. Example", "email": "a@example.com"}
        booking = {"contact": contact, "starts_at": start.isoformat(), "call_id": call_id}
        tenant.change(self.new, "POST", f"/v1/calls/{call_id}/notes", {"text": "A note."}, 201)
        tenant.change(self.new, "POST", f"/v1/calls/{call_id}/tags", {"tag": "urgent"}, 200)
        tenant.change(self.new, "POST", "/v1/appointments", booking, 201)
        for body in webhooks.call("after-the-additions", 12):
            status, answer = tenant.post(self.old, "vapi", body)
            assert (status, answer["status"]) == (200, "recorded"), answer
        self.wait_for_read_models(self.old, self.new)
        old, new = tenant.calls(self.old), tenant.calls(self.new)
        # The previous release does not know what was added to this one.
        check_calls({**old, call_id: {}}, new)
        for server in (self.old, self.new):
            server.get(f"/v1/calls/{call_id}/events", tenant.keys["read"])
            server.get(f"/v1/calls/{call_id}", tenant.keys["read"], as_of=start.isoformat())
        tags = self.new.get(f"/v1/calls/{call_id}", tenant.keys["read"])["tags"]
        assert tags == ["urgent"], tags

    def rebuild(self):
        step("each read model rebuilt by this build, while both serve")
        for name in sorted({one["name"] for one in self.this.run("projection", "list", "--no-checksum")}):
            self.this.run("projection", "rebuild", name, "--no-promote")
            both = [one for one in self.this.run("projection", "list") if one["name"] == name]
            found = {(one["events"], one["rows"], one["checksum"]) for one in both if one["state"] != "previous"}
            assert len(both) >= 2 and len(found) == 1, f"a rebuild of {name} has other rows: {both}"
            self.this.run("projection", "promote", name)
        for server in (self.old, self.new):
            self.check_reads(server)
        self.check_log()

    def check_log(self):
        """Nothing in the log was altered, and it has the events that are exported."""
        verified = self.this.run("verify")
        assert verified["ok"], verified
        sizes = {one["tenant_id"]: one["size"] for one in verified["tenants"]}
        for tenant in self.tenants.values():
            events = len(tenant.events(self.this))
            assert sizes[tenant.tenant_id] == events, f"{tenant.slug}: {sizes[tenant.tenant_id]} of {events}"

    def no_way_back(self):
        step("the previous release is stopped and does not start again")
        assert self.old.stop() == 0, "it did not drain"
        newest = self.migrations[-1].removesuffix(".sql")
        wanted = f"its migration {newest[:4]} ({newest[5:].replace('_', ' ')}) is unknown to this one"
        for command in (["serve", "--listen", "127.0.0.1:0"], ["migrate"], ["tenant", "list"]):
            code, printed, log = self.previous.ran(*command)
            assert code == 1 and not printed, f"{command} ended with {code}: {printed}"
            assert wanted in log and "install that build or a newer one" in log, f"{command}: {log}"

    def this_build_alone(self):
        step("this build serves alone, and after a restart")
        self.check_reads(self.new)
        tenants = {tenant: tenant.calls(self.new) for tenant in self.tenants.values()}
        assert self.new.stop() == 0, "it did not drain"
        self.new = self.this.serve()
        self.wait_for_read_models(self.new)
        for tenant, calls in tenants.items():
            check_calls(calls, tenant.calls(self.new))
        self.check_reads(self.new)
        self.check_log()
        code, printed, log = self.this.ran("doctor")
        assert code == 0, f"{printed}\n{log}"
        assert self.new.stop() == 0, "it did not drain"
        for server in self.previous.servers + self.this.servers:
            assert not server.faults(), f"{server.build.name} logs faults:\n" + "\n".join(server.faults())


def main():
    previous, this, directory, repository, last_migration = sys.argv[1:]
    builds = [Build("the previous release", previous, directory), Build("this build", this, directory)]
    try:
        Upgrade(*builds, pathlib.Path(repository), int(last_migration)).run()
    except AssertionError as fault:
        sys.exit(f"the upgrade failed: {fault}")
    finally:
        for build in builds:
            build.end()
        builds[1].ran("db", "stop")
    step("done")


main()
