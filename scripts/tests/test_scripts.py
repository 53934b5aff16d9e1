"""The helper scripts: shell functions, port check, provisioning, supervision."""

import http.server
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]


def shell(function: str) -> subprocess.CompletedProcess:
    sources = "".join(f". {SCRIPTS}/lib/{name}.sh; " for name in ("common", "step", "tools", "advisories"))
    program = f"set -euo pipefail; trap end_step EXIT; {sources}{function}"
    return subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60)


class ShellFunctions(unittest.TestCase):
    def test_url_encode(self):
        self.assertEqual(shell("url_encode '/a b/c+d&é%'").stdout, "/a%20b/c%2Bd%26%C3%A9%25")

    def test_elapsed(self):
        self.assertEqual(shell("elapsed 59; echo; elapsed 75").stdout, "59s\n1m15s")

    def test_at_least_compares_versions_not_text(self):
        for version, minimum, holds in [("1.95.0", "1.95", True), ("1.100.0", "1.95", True), ("1.63.0", "1.95", False), ("20.9.0", "20.19", False), ("0", "1.95", False)]:
            with self.subTest(version=version, minimum=minimum):
                self.assertEqual(shell(f"at_least {version} {minimum}").returncode == 0, holds)

    def test_a_failing_step_returns_its_code(self):
        result = shell("step 'a thing' sh -c 'echo the reason; exit 7'")
        self.assertEqual(result.returncode, 7)
        self.assertIn("FAILED a thing", result.stdout)

    def test_a_failure_is_explained_by_its_output_or_by_the_missing_network(self):
        result = shell("step 'a thing' sh -c 'echo the reason; exit 7' || step_die other 'no network'")
        self.assertEqual((result.returncode, result.stderr), (1, "    | the reason\nbash: other\n"))
        result = shell("step 'a thing' sh -c 'echo Temporary failure resolving; exit 7' || step_die other 'no network'")
        self.assertEqual((result.returncode, result.stderr), (1, "bash: no network\n"))

    def test_a_good_step_is_quiet(self):
        result = shell("step 'a thing' echo noise")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertNotIn("noise", result.stdout)

    def test_missing_packages_are_named_when_they_cannot_be_installed(self):
        result = shell("have() { [[ $1 != apt-get ]]; }; want some-package false; want other-package true; install_wanted")
        self.assertEqual(result.returncode, 1)
        self.assertIn("these programs are missing (their Debian names): some-package; install them and start again", result.stderr)

    def test_an_old_node_is_not_taken(self):
        for version, enough in [("v18.20.4", False), ("v20.18.1", False), ("v20.19.0", True), ("v21.7.3", False), ("v22.11.0", False), ("v22.12.0", True), ("v26.0.0", True)]:
            with self.subTest(version=version):
                function = f"have() {{ true; }}; node() {{ echo {version}; }}; node_is_new_enough"
                self.assertEqual(shell(function).returncode == 0, enough)

    def test_help_is_the_comment_at_the_head(self):
        for script in ["run", "test", "scripts/dev-postgres", "scripts/sqlx-prepare", "scripts/supervise", "bench/run", "bench/serve", "bench/compare"]:
            with self.subTest(script=script):
                result = subprocess.run([SCRIPTS.parent / script, "--help"], capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 0)
                self.assertIn("Usage:", result.stdout)
                self.assertNotIn("set -", result.stdout)

    def test_unknown_options_are_refused(self):
        for script in ["run", "test", "scripts/dev-postgres", "scripts/sqlx-prepare", "bench/run", "bench/compare"]:
            with self.subTest(script=script):
                result = subprocess.run([SCRIPTS.parent / script, "--nonsense"], capture_output=True, text=True, timeout=30)
                self.assertEqual(result.returncode, 2)
                self.assertEqual(len(result.stderr.strip().splitlines()), 1)


class Advisories(unittest.TestCase):
    CLEAN = '{ "auditReportVersion": 2, "vulnerabilities": {} }'
    FOUND = '{ "auditReportVersion": 2, "vulnerabilities": { "left-pad": {} } }'
    SILENT = '{ "message": "request failed, reason: getaddrinfo EAI_AGAIN" }'

    def check(self, fetched=0, rust=0, npm=(CLEAN, 0), require=""):
        answer, code = npm
        cargo = f'case "$*" in *"fetch db"*) return {fetched};; *) return {rust};; esac'
        fakes = f"timeout() {{ shift; \"$@\"; }}; cargo() {{ {cargo}; }}; npm() {{ printf %s '{answer}'; return {code}; }}"
        result = shell(f"{fakes}; PROXIMA_REQUIRE_ADVISORIES={require}; check_advisories")
        return result.returncode, result.stdout.count("ADVISORIES NOT CHECKED")

    def test_known_vulnerabilities_fail(self):
        self.assertEqual(self.check(), (0, 0))
        self.assertEqual(self.check(rust=1), (1, 0))
        self.assertEqual(self.check(npm=(self.FOUND, 1)), (1, 0))

    def test_unchecked_advisories_are_no_silent_success(self):
        self.assertEqual(self.check(fetched=1), (0, 1))
        self.assertEqual(self.check(npm=(self.SILENT, 1)), (0, 1))
        self.assertEqual(self.check(fetched=1, npm=(self.SILENT, 1)), (0, 2))
        self.assertEqual(self.check(fetched=1, require="1"), (1, 1))
        self.assertEqual(self.check(npm=(self.SILENT, 1), require="1"), (1, 1))
        self.assertEqual(self.check(fetched=1, npm=(self.FOUND, 1)), (1, 1))


class Ports(unittest.TestCase):
    def check(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, SCRIPTS / "lib/ports.py", *arguments], capture_output=True, text=True, timeout=30)

    def test_a_taken_port_is_named_whichever_address_has_it(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for host in ["127.0.0.1", "*"]:
                result = self.check(f"SITE={host}:{port}")
                self.assertEqual((result.returncode, result.stdout), (1, f"SITE\t{port}\tis taken\n"))
        self.assertEqual(self.check(f"SITE=*:{port}").returncode, 0)

    def test_what_is_no_port_is_refused(self):
        self.assertEqual(self.check("SITE=*:70000").stdout, "SITE\t70000\tis not a port number\n")
        self.assertEqual(self.check("SITE=*:x").returncode, 1)


class Licences(unittest.TestCase):
    def say(self, packages: dict) -> subprocess.CompletedProcess:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as lock:
            json.dump({"lockfileVersion": 3, "packages": packages}, lock)
            lock.flush()
            return subprocess.run([sys.executable, SCRIPTS / "lib/npm_licences.py", lock.name], capture_output=True, text=True, timeout=30)

    def test_what_ships_is_named_once_and_what_only_builds_is_not(self):
        result = self.say({
            "": {"name": "ours"},
            "node_modules/b": {"version": "1.0.0", "license": "MIT"},
            "node_modules/a/node_modules/@x/y": {"version": "2.0.0", "license": "ISC"},
            "node_modules/c/node_modules/@x/y": {"version": "2.0.0", "license": "ISC"},
            "node_modules/tool": {"version": "3.0.0", "license": "MIT", "dev": True},
        })
        self.assertEqual((result.returncode, result.stdout), (0, "@x/y v2.0.0  ISC\nb v1.0.0  MIT\n"))

    def test_a_package_without_a_licence_is_named(self):
        result = self.say({"node_modules/b": {"version": "1.0.0"}})
        self.assertEqual(result.returncode, 1)
        self.assertIn("no licence is named by b 1.0.0", result.stderr)

    def test_the_own_ui_names_all(self):
        lock = SCRIPTS.parent / "web/package-lock.json"
        result = subprocess.run([sys.executable, SCRIPTS / "lib/npm_licences.py", lock], capture_output=True, text=True, timeout=30)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"(?m)^react v\d")


class FakeDashboard(http.server.BaseHTTPRequestHandler):
    calls: list = []
    users: list = []
    listeners: list = []
    protocol_version = "HTTP/1.1"

    def do_any(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        type(self).calls.append((self.command, self.path, body, self.headers.get("Cookie")))
        status, answer = self.route(body)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if self.path.endswith("/auth/login") and status == 200:
            self.send_header("Set-Cookie", "session=abc; HttpOnly; Path=/")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_any

    def route(self, body):
        path = self.path.removeprefix("/api/v1")
        if path == "/auth/login":
            return (200, {}) if body["password"] == "right" else (401, {"detail": "The password is wrong."})
        if self.headers.get("Cookie") != "session=abc":
            return 401, {"detail": "Sign in."}
        if path.startswith("/users?"):
            return 200, {"items": self.users}
        if path == "/users":
            return 201, {"username": body["username"], "server": {"id": "s1"}}
        if path == "/servers":
            return 200, {"items": [{"id": "s1"}]}
        if path == "/servers/s1/config":
            return 200, {"generation": 3, "listeners": self.listeners}
        return 200, {}

    def log_message(self, *_):
        pass


class Provision(unittest.TestCase):
    def setUp(self):
        FakeDashboard.calls, FakeDashboard.users, FakeDashboard.listeners = [], [], []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeDashboard)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def provision(self, *more, action="make", password="right"):
        url = f"http://127.0.0.1:{self.server.server_port}"
        command = [sys.executable, SCRIPTS / "lib/provision.py", action, url, "alice", "8090", "3000", *more]
        return subprocess.run(command, input=f"{password}\nhers\n", capture_output=True, text=True, timeout=30)

    def test_the_customer_and_its_listener_are_made(self):
        result = self.provision()
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        sent = {(method, path): body for method, path, body, _ in FakeDashboard.calls}
        made = sent["POST", "/api/v1/users"]
        self.assertEqual((made["username"], made["password"], made["role"]), ("alice", "hers", "CUSTOMER"))
        config = sent["PUT", "/api/v1/servers/s1/config"]
        self.assertEqual(config, {"generation": 3, "listeners": [{"port": 8090, "backendUrl": "http://127.0.0.1:3000"}]})
        self.assertEqual(FakeDashboard.calls[-1][1], "/api/v1/auth/logout")

    def test_what_is_there_is_left_as_it_is(self):
        FakeDashboard.users = [{"username": "alice", "server": {"id": "s1"}}]
        FakeDashboard.listeners = [{"port": 1, "backendUrl": "http://x"}]
        self.assertEqual(self.provision().returncode, 0)
        self.assertEqual([call[0] for call in FakeDashboard.calls], ["POST", "GET", "GET", "POST"])

    def test_the_listener_moves_with_the_ports_and_others_stay(self):
        other = {"port": 1, "backendUrl": "http://x"}
        FakeDashboard.listeners = [other, {"port": 8090, "backendUrl": "http://127.0.0.1:3000/"}]
        self.assertEqual(self.provision("8091", "3001", action="move").returncode, 0)
        sent = {(method, path): body for method, path, body, _ in FakeDashboard.calls}
        moved = sent["PUT", "/api/v1/servers/s1/config"]["listeners"]
        self.assertEqual(moved, [other, {"port": 8091, "backendUrl": "http://127.0.0.1:3001"}])

    def test_a_listener_that_its_owner_changed_is_not_moved(self):
        FakeDashboard.listeners = [{"port": 9000, "backendUrl": "http://127.0.0.1:3000"}]
        result = self.provision("8091", "3001", action="move")
        self.assertEqual((result.returncode, result.stderr), (1, "alice's listeners were changed since; set the ports in the dashboard\n"))

    def test_a_refusal_is_one_sentence(self):
        result = self.provision(password="wrong")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "POST /auth/login was answered 401: The password is wrong.\n")


class Supervise(unittest.TestCase):
    def test_it_restarts_and_stops_in_order(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            program = 'echo start; trap "echo asked; exit 0" TERM; if [ ! -e "$0/second" ]; then touch "$0/second"; exit 3; fi; while :; do sleep 0.05; done'
            command = [SCRIPTS / "supervise", "It", "bash", "-c", program, folder]
            environment = {**os.environ, "PROXIMA_RESTART_SECONDS": "0.2", "PROXIMA_SUPERVISED_LOG": str(log)}
            process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
            for _ in range(100):
                if log.exists() and log.read_text().count("start") == 2:
                    break
                time.sleep(0.1)
            time.sleep(0.2)
            process.send_signal(signal.SIGTERM)
            _, messages = process.communicate(timeout=20)
            self.assertIn("It ended with exit code 3; starting it again in 0.2 seconds", messages)
            self.assertEqual(log.read_text(), "start\nstart\nasked\n")


if __name__ == "__main__":
    unittest.main()
