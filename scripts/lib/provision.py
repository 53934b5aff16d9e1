"""Makes the demo customer through the dashboard's API, as a person would in the web interface.

Usage: provision.py make DASHBOARD-URL CUSTOMER-NAME VISITOR-PORT SITE-PORT
       provision.py move DASHBOARD-URL CUSTOMER-NAME OLD-VISITOR-PORT OLD-SITE-PORT NEW-VISITOR-PORT NEW-SITE-PORT
`make` reads two lines from standard input, the admin's password and the customer's; `move` reads the customer's and changes only a
listener that is still as `make` left it. Nothing secret is on the command line or in a URL.
Exit codes: 0 done (or nothing to do), 1 with one sentence on standard error.
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


def listener(port: str, site: str) -> dict:
    return {"port": int(port), "backendUrl": f"http://127.0.0.1:{site}"}


@contextlib.contextmanager
def signed_in(dashboard: Dashboard, username: str, password: str):
    dashboard.call("POST", "/auth/login", {"username": username, "password": password})
    try:
        yield
    finally:
        with contextlib.suppress(Refused):
            dashboard.call("POST", "/auth/logout")


def make(dashboard: Dashboard, customer: str, port: str, site: str) -> None:
    admin, password = read_line(), read_line()
    with signed_in(dashboard, "admin", admin):
        found = dashboard.call("GET", f"/users?search={customer}")["items"]
        user = next((item for item in found if item["username"] == customer), None)
        if user is None:
            new = {"username": customer, "password": password, "displayName": "Demo customer", "loginSlug": customer}
            user = dashboard.call("POST", "/users", {**new, "role": "CUSTOMER", "serverName": "Demo website"})
        if user.get("server") is None:
            raise Refused(f'"{customer}" is not a customer; rename that user, or choose another name with PROXIMA_RUN_CUSTOMER')
        path = f"/servers/{user['server']['id']}/config"
        config = dashboard.call("GET", path)
        if not config["listeners"]:
            dashboard.call("PUT", path, {"generation": config["generation"], "listeners": [listener(port, site)]})


def move(dashboard: Dashboard, customer: str, old_port: str, old_site: str, port: str, site: str) -> None:
    old, new = listener(old_port, old_site), listener(port, site)
    with signed_in(dashboard, customer, read_line()):
        server = dashboard.call("GET", "/servers")["items"][0]
        path = f"/servers/{server['id']}/config"
        config = dashboard.call("GET", path)
        # The dashboard may write a URL with a closing slash.
        moved = [new if {**one, "backendUrl": one["backendUrl"].rstrip("/")} == old else one for one in config["listeners"]]
        if moved == config["listeners"]:
            raise Refused(f"{customer}'s listeners were changed since; set the ports in the dashboard")
        dashboard.call("PUT", path, {"generation": config["generation"], "listeners": moved})


def read_line() -> str:
    return sys.stdin.readline().rstrip("\n")


def main() -> int:
    action, url, *rest = sys.argv[1:]
    try:
        {"make": make, "move": move}[action](Dashboard(url), *rest)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a trace of calls
    sys.exit(main())
