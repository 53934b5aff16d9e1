"""Makes the demo customer through the dashboard's API, as a person would in the web interface.

Usage: provision.py DASHBOARD-URL CUSTOMER-NAME VISITOR-PORT BACKEND-URL
Reads two lines from standard input: the admin's password and the customer's. Nothing secret is on the command line or in a URL.
Exit codes: 0 made (or already there), 1 with one sentence on standard error.
"""

import contextlib
import http.cookiejar
import json
import signal
import sys
import urllib.error
import urllib.request


class Refused(Exception):
    """An answer that is not a success, as one sentence."""


class Dashboard:
    def __init__(self, url: str) -> None:
        self.base = url.rstrip("/") + "/api/v1"
        self.origin = url.rstrip("/")
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Origin": self.origin}
        request = urllib.request.Request(self.base + path, data=data, headers=headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path} was answered {error.code}: {explain(error.read())}") from None
        except OSError as error:
            raise Refused(f"the dashboard at {self.origin} cannot be reached ({error}); is it running?") from None
        return json.loads(text) if text else {}


def explain(body: bytes) -> str:
    try:
        problem = json.loads(body)
    except ValueError:
        return body[:200].decode(errors="replace")
    fields = "; ".join(f"{e.get('field')}: {e.get('message')}" for e in problem.get("errors") or [])
    return fields or problem.get("detail") or problem.get("title") or "no reason given"


def provision(dashboard: Dashboard, admin: str, password: str, customer: str, port: int, backend: str) -> None:
    dashboard.call("POST", "/auth/login", {"username": "admin", "password": admin})
    try:
        found = dashboard.call("GET", f"/users?search={customer}")["items"]
        user = next((item for item in found if item["username"] == customer), None)
        if user is None:
            user = dashboard.call(
                "POST",
                "/users",
                {
                    "username": customer,
                    "password": password,
                    "displayName": "Demo customer",
                    "loginSlug": customer,
                    "role": "CUSTOMER",
                    "serverName": "Demo website",
                },
            )
        if user.get("server") is None:
            raise Refused(f'"{customer}" is not a customer; rename that user, or choose another name with PROXIMA_RUN_CUSTOMER')
        server = user["server"]["id"]
        config = dashboard.call("GET", f"/servers/{server}/config")
        if not config["listeners"]:
            listeners = [{"port": port, "backendUrl": backend}]
            dashboard.call("PUT", f"/servers/{server}/config", {"generation": config["generation"], "listeners": listeners})
    finally:
        with contextlib.suppress(Refused):
            dashboard.call("POST", "/auth/logout")


def main() -> int:
    url, customer, port, backend = sys.argv[1:5]
    admin, password = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    try:
        provision(Dashboard(url), admin, password, customer, int(port), backend)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a trace of calls
    sys.exit(main())
