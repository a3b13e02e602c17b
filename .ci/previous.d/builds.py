"""A build of the ledger: its commands, and its servers over HTTP."""

import json
import os
import pathlib
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 60


class Build:
    """The program of one build, with the data directory of the test."""

    def __init__(self, name, program, directory):
        self.name, self.program = name, str(pathlib.Path(program).resolve())
        self.directory = pathlib.Path(directory)
        self.servers = []

    def _arguments(self, arguments):
        return [self.program, "--data-dir", str(self.directory / "data"), "--output", "json", *arguments]

    def ran(self, *arguments):
        """Runs a command; returns its exit code, standard output and standard error."""
        ran = subprocess.run(
            self._arguments(arguments),
            cwd=self.directory,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
        )
        return ran.returncode, ran.stdout, ran.stderr

    def run(self, *arguments):
        """Runs a command that must succeed; returns the document it prints."""
        code, printed, log = self.ran(*arguments)
        if code != 0:
            raise AssertionError(f"{self.name}: {' '.join(arguments)} ended with {code}:\n{log}")
        return json.loads(printed)

    def serve(self):
        """Starts a server on a free port; returns as soon as it listens."""
        log = self.directory / f"{self.name.replace(' ', '-')}-{len(self.servers)}.log"
        server = Server(self, self._arguments(["serve", "--listen", "127.0.0.1:0"]), log)
        self.servers.append(server)
        server.wait_until_it_listens()
        return server

    def end(self):
        """Kills the servers that still run."""
        for server in self.servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()


class Server:
    def __init__(self, build, arguments, log):
        self.build, self.log = build, log
        self.process = subprocess.Popen(
            arguments,
            cwd=build.directory,
            env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
        )

    def wait_until_it_listens(self):
        # The end of the process ends the line, too.
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.build.name} did not start:\n{self.log.read_text()}")
        self.url = json.loads(line)["listening"]

    def stop(self):
        """Ends the server as an operator does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_S)

    def faults(self):
        """Returns the lines of the log that report a fault."""
        return [line for line in self.log.read_text().splitlines() if "ERROR" in line]

    def send(self, path, key=None, body=None, headers=(), method=None):
        """Sends a request; returns the status and the body, parsed if it is JSON."""
        headers = dict(headers)
        if key:
            headers["authorization"] = f"Bearer {key}"
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            status, text = refused.code, refused.read()
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text.decode(errors="replace")

    def get(self, path, key, **query):
        """Sends a GET that must be answered 200; returns the body."""
        where = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        status, body = self.send(where, key)
        if status != 200:
            raise AssertionError(f"{self.build.name}: GET {where} was answered {status}: {body}")
        return body

    def pages(self, path, key, **query):
        """Returns the items of all pages of a list."""
        items, more = [], {}
        while True:
            page = self.get(path, key, **query, **more)
            items += page["data"]
            if not page.get("next_cursor"):
                return items
            more = {"cursor": page["next_cursor"]}
