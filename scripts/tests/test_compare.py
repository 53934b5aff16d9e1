"""bench/compare: what the load generators say, medians, ratios, verdicts, tables; and how figures get into the results."""

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
sys.dont_write_bytecode = True
sys.path.insert(0, str(SCRIPTS.parent / "bench"))

from comparison import __main__ as program  # noqa: E402
from comparison import figures, generators, processes, rounds, scenarios, tables  # noqa: E402
from comparison.clients import common, crowd, downloads, handshakes, pace  # noqa: E402
from comparison.figures import Aim  # noqa: E402

WRK = """Running 2s test @ http://localhost:18001/small
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     3.37ms    1.25ms  25.91ms   84.33%
    Req/Sec     9.59k   625.31    10.93k    70.00%
  Latency Distribution
     50%  850.00us
     75%    3.93ms
     90%    4.80ms
     99%    1.20s
  38216 requests in 2.01s, 12.54MB read
Requests/sec:  19021.94
Transfer/sec:      6.24MB
"""
H2LOAD = """finished in 2.00s, 24560.50 req/s, 5.51MB/s
requests: 49121 total, 49249 started, 49121 done, 49120 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 49120 2xx, 0 3xx, 1 4xx, 2 5xx
traffic: 11.02MB (11559264) total, 3.19MB (3340636) headers (space savings 76.55%), 3.00MB (3143744) data
                     min         max         mean         sd        +/- sd
time for request:      241us     36.45ms      5.18ms      2.36ms    77.04%
time for connect:     1.58ms      4.71ms      3.11ms      1.12ms    62.50%
req/s           :    3066.35     3072.49     3070.05        1.89    75.00%
"""
S_CLIENT = """CONNECTED(00000003)
Server Temp Key: X25519, 253 bits
---
New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256
Server public key is 256 bit
"""


class Generators(unittest.TestCase):
    def test_wrk(self):
        self.assertEqual(generators.parse_wrk(WRK), {"done": 38216, "rate": 19021.94, "p50": 0.85, "p99": 1200.0, "failed": 0})

    def test_what_failed_at_wrk_is_counted(self):
        more = "  Socket errors: connect 1, read 20, write 300, timeout 4000\n  Non-2xx or 3xx responses: 50000\nRequests/sec"
        self.assertEqual(generators.parse_wrk(WRK.replace("Requests/sec", more, 1))["failed"], 54321)

    def test_what_is_no_report_is_no_zero(self):
        for parse in (generators.parse_wrk, generators.parse_h2load):
            with self.assertRaises(ValueError):
                parse("unable to connect to localhost:18001 Connection refused\n")

    def test_h2load(self):
        self.assertEqual(generators.parse_h2load(H2LOAD), {"done": 49121, "rate": 24560.5, "mean": 5.18, "failed": 4})
        self.assertEqual(generators.h2load_protocol("TLS Protocol: TLSv1.3\nApplication protocol: h2\n"), "h2")
        self.assertEqual(generators.h2load_protocol("No protocol negotiated. Fallback behaviour may be activated\n"), "none")

    def test_what_was_negotiated(self):
        self.assertEqual(generators.parse_negotiated(S_CLIENT), "TLSv1.3, TLS_AES_128_GCM_SHA256, X25519")
        self.assertEqual(generators.parse_negotiated("connect:errno=111"), "nothing")

    def test_units_of_time(self):
        for text, expected in [("5us", 0.005), ("5.50ms", 5.5), ("1.50s", 1500), ("2m", 120_000)]:
            self.assertEqual(generators.milliseconds("^is", f"is {text}\n"), expected)


class Figures(unittest.TestCase):
    def test_percentiles(self):
        hundred = [float(number) for number in range(1, 101)]
        self.assertEqual([figures.percentile(hundred, share) for share in (0.5, 0.99, 0.995, 1)], [50, 99, 100, 100])
        self.assertEqual((figures.percentile([7.0], 0.5), figures.percentile([], 0.5)), (7, 0))

    def test_ratios_are_of_the_same_round(self):
        ours, theirs = [{"cpu": 1.0}, {"cpu": 3.0}, {"cpu": 9.0}], [{"cpu": 2.0}, {"cpu": 0.0}, {"cpu": 6.0}]
        self.assertEqual(figures.ratios(ours, theirs, "cpu"), [0.5, 1.5])
        self.assertEqual(figures.median(ours, "cpu"), 3)

    def test_verdicts(self):
        aim = Aim(1.0, "nginx", least=1.1)
        self.assertEqual([figures.verdict(value, aim) for value in (0.9, 1.0, 1.05, 1.2)], ["yes", "yes", "the least only", "NO"])
        self.assertEqual((figures.verdict(9, None), figures.verdict(21, Aim(20))), ("–", "NO"))
        self.assertEqual((figures.wanted(aim), figures.wanted(Aim(20), 0), figures.wanted(None)), ("1.00, the least 1.10", "20", "–"))


class Processes(unittest.TestCase):
    def test_a_stat_whose_name_holds_anything(self):
        text = "77 (a) b (c) S 5 77 77 0 -1 4194560 100 0 0 0 150 50 7 8 20 0 1 0 123 1000 10 18446744073709551615"
        self.assertEqual(processes.parse_stat(text), (5, 200 / processes.TICKS))

    def test_a_family_has_grandchildren_and_nobody_else(self):
        self.assertEqual(sorted(processes.family(2, {2: 1, 3: 2, 4: 3, 5: 1, 6: 5})), [2, 3, 4])

    def test_rollup(self):
        self.assertEqual(processes.parse_rollup("55-7f ---p 0 [rollup]\nRss:  12 kB\nPss:  7 kB\nPss_Anon:  5 kB\nSwapPss:  1 kB\n"), (12288, 7168))

    def test_all_that_a_child_started_ends_with_it(self):
        children = processes.Children()
        child = children.start(["bash", "-c", "trap '' TERM; sleep 300 & echo $!; exec sleep 300"], stdout=subprocess.PIPE, text=True)
        grandchild = int(child.stdout.readline())
        patience, processes.PATIENCE = processes.PATIENCE, 0.2
        self.addCleanup(setattr, processes, "PATIENCE", patience)
        children.end_all()
        self.assertEqual(child.returncode, -signal.SIGKILL)
        state = pathlib.Path(f"/proc/{grandchild}/stat")
        for _ in range(100):
            if not state.exists() or " Z " in state.read_text():
                return
            time.sleep(0.05)
        self.fail("the grandchild runs on")

    def test_a_failure_says_what_was_said(self):
        with self.assertRaisesRegex(RuntimeError, "sh ended with 3: the reason"):
            processes.Children().output_of(["sh", "-c", "echo the reason >&2; exit 3"], timeout=30)


class Answers(unittest.TestCase):
    """The generators of our own, against a server that answers as it is told."""

    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"

    def serve(self, answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.addCleanup(listener.close)

        def one(connection: socket.socket) -> None:
            with connection:
                asked = b""
                while piece := connection.recv(65536):
                    asked += piece
                    while b"\r\n\r\n" in asked:
                        head, _, asked = asked.partition(b"\r\n\r\n")
                        connection.sendall(answer)
                        if b"Connection: close" in head:
                            return

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def test_lengths_of_bodies(self):
        self.assertEqual(common.body_length(b"HTTP/1.1 200 OK\r\ncontent-LENGTH: 70"), 70)
        for head in (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 70", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", b""):
            self.assertIsNone(common.body_length(head))

    def test_downloads_count_what_is_whole(self):
        self.assertEqual(downloads.take(self.serve(self.ANSWER), "/", 0, tls=False), (3, 1, 0))
        self.assertEqual(downloads.take(self.serve(b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n"), "/", 0, tls=False), (0, 0, 1))

    def test_new_connections_are_counted(self):
        took, failed, resumed = handshakes.ask(self.serve(self.ANSWER), "/", 0.2, tls=False)
        self.assertGreater(len(took), 0)
        self.assertEqual((failed, resumed), (0, 0))

    def test_a_crowd_knows_who_is_still_there(self):
        resting, failed = crowd.rest(self.serve(self.ANSWER), "/", 6, tls=False)
        self.assertEqual((len(resting), failed, [crowd.is_open(one) for one in resting]), (6, 0, [True] * 6))
        self.assertEqual({one.getsockname()[0] for one in resting}, set(crowd.SOURCES))
        left, right = socket.socketpair()
        right.sendall(b"a ticket")
        right.close()
        self.assertFalse(crowd.is_open(left))
        for one in [*resting, left]:
            one.close()

    def test_the_pace_is_kept_and_failures_count(self):
        for answer, done, failed in [(self.ANSWER, 40, 0), (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", 0, 40)]:
            paced = pace.Pace(self.serve(answer), "/", 4, b"abc")
            paced.run(200, 0.2)
            self.assertEqual((len(paced.took), paced.failed), (done, failed))
            for connection in paced.sockets.values():
                connection.close()

    def test_a_wait_for_a_free_connection_counts(self):
        paced = pace.Pace(self.serve(self.ANSWER), "/", 1, b"abc")
        connection = next(iter(paced.sockets.values()))
        paced.ask(time.perf_counter() - 5)
        connection.setblocking(True)
        paced.take(connection.fileno())
        self.assertGreaterEqual(paced.took[0], 5)
        connection.close()


def result(name: str, samples: dict, threads: int = 1, **more) -> rounds.Result:
    return rounds.Result(scenarios.BY_NAME[name], threads, samples, **more)


def loaded(cpu: float, **more) -> dict:
    return {"cpu": cpu, "rate": 20000.0, "p50": 1.0, "p99": 2.0, "failed": 0, "logged": 1.0, "others": 3.0, **more}


class Tables(unittest.TestCase):
    def test_ratios_with_what_they_are_to_be(self):
        there = result("small", {"nginx": [loaded(2), loaded(4), loaded(2)], "haproxy": [loaded(1)] * 3, "gateway": [loaded(1), loaded(5), loaded(3)]})
        text = tables.markdown([there])
        self.assertIn("| small | 1 | nginx | 1.25 (0.50–1.50) | 1.00, the least 1.10 | NO |", text)
        self.assertIn("| small | 1 | haproxy | 3.00 (1.00–5.00) | – | – |", text)
        self.assertIn("**small**: small requests on keep-alive connections.", text)
        self.assertIn("| gateway | 1 | 3.00 | 20,000 | 1.00 | 2.00 | 0 | 1.000 | 3 |", text)
        self.assertNotIn("FAILED", text)

    def test_what_cannot_be_done_yet_is_said(self):
        there = result("small-tls", {"nginx": [loaded(2)], "haproxy": [loaded(1)]}, missing={"gateway": "unexpected argument '--tls' found"})
        text = tables.markdown([there])
        self.assertIn("| small-tls | 1 | nginx | not yet | 0.75 | not yet |", text)
        self.assertIn("| gateway | 1 | not yet |  |", text)
        self.assertIn("- gateway: not yet: unexpected argument '--tls' found", text)
        self.assertEqual(tables.faults([there]), [])

    def test_aims_without_a_peer(self):
        ours, theirs = {"pss": 8.1, "rss": 9.0, "open": 10000, "failed": 0}, {"pss": 1.0, "rss": 2.0, "open": 10000, "failed": 0}
        text = tables.markdown([result("idle", {"nginx": [theirs], "haproxy": [theirs], "gateway": [ours]})])
        self.assertIn("| idle | 1 | PSS growth, KB a connection | 8.10 | 1.00 | 1.00 | 20 | yes |", text)
        self.assertNotIn("Ours / theirs", text)

    def test_failures_are_at_the_top(self):
        there = result("small", {"nginx": [loaded(2, failed=7)], "haproxy": [loaded(1, logged=0.2)], "gateway": []}, broken="wrk ended with 1: no")
        expected = ["small, threads 1: wrk ended with 1: no", "small, threads 1, nginx: 7 failed", "small, threads 1, haproxy: the access log lacks lines"]
        self.assertEqual(tables.faults([there]), expected)
        text = tables.markdown([there])
        self.assertIn("- FAILED: small, threads 1, nginx: 7 failed", text)
        self.assertIn("| small | 1 | nginx | failed | 1.00, the least 1.10 | failed |", text)

    def test_every_scenario_can_be_shown(self):
        for scenario in scenarios.ALL:
            with self.subTest(scenario=scenario.name):
                sample = {column.figure: 1.0 for column in scenario.columns}
                text = tables.markdown([rounds.Result(scenario, threads, {name: [sample] for name in scenario.proxies}) for threads in (1, 2)])
                widths = {line.count("|") for line in text.split("**")[0].splitlines() if line.startswith("|")}
                self.assertEqual(len(widths), 1)


class Options(unittest.TestCase):
    def test_what_is_usual(self):
        usual, quick = program.options([]), program.options(["--quick", "--rounds", "3"])
        self.assertEqual((usual.threads, usual.rounds, usual.seconds, usual.only), ([1, 2], 5, 8, list(scenarios.BY_NAME)))
        self.assertEqual((quick.threads, quick.rounds, quick.seconds), ([1], 3, 1))

    def test_a_name_may_mean_several(self):
        self.assertEqual(program.options(["--only", "start,idle,start", "--threads", "2,4"]).only, ["start", "idle", "idle-tls"])

    def test_what_is_wrong_is_one_sentence(self):
        for wrong in [["--only", "smal"], ["--only", "small", "--threads", "1,x"], ["--rounds", "0"], ["--seconds", "-1"]]:
            with self.subTest(wrong=wrong):
                said = subprocess.run([SCRIPTS.parent / "bench/compare", *wrong], capture_output=True, text=True, timeout=30)
                self.assertEqual((said.returncode, len(said.stderr.strip().splitlines())), (2, 1), said.stderr)


class Filling(unittest.TestCase):
    def fill(self, page: str, marker: str) -> tuple[int, str, str]:
        with tempfile.TemporaryDirectory() as folder:
            results, figures_file = pathlib.Path(folder) / "results", pathlib.Path(folder) / "figures"
            results.write_text(page)
            figures_file.write_text("new\n\nlines\n")
            shell = f"set -euo pipefail; . {SCRIPTS}/lib/common.sh; . {SCRIPTS}/lib/results.sh; RESULTS={results}; fill {marker} {figures_file}"
            said = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=30)
            return said.returncode, said.stderr, results.read_text()

    def test_only_what_is_between_the_markers_changes(self):
        page = "a\n<!-- one -->\nold\n<!-- /one -->\nb\n<!-- two -->\nold\n<!-- /two -->\n\nc\n"
        code, _, after = self.fill(page, "two")
        self.assertEqual((code, after), (0, page.replace("<!-- two -->\nold", "<!-- two -->\nnew\n\nlines")))

    def test_without_its_marker_nothing_changes(self):
        code, said, after = self.fill("a\n<!-- one -->\n", "one")
        self.assertEqual((code, after), (1, "a\n<!-- one -->\n"))
        self.assertIn("has no marker /one", said)

    def test_the_results_have_the_markers(self):
        text = (SCRIPTS.parent / "bench/RESULTS.md").read_text()
        self.assertLess(text.index("\n<!-- compare -->\n"), text.index("\n<!-- /compare -->\n"))


if __name__ == "__main__":
    unittest.main()
