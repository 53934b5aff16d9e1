"""What scripts/api-fuzz tells schemathesis: who asks, and which answers are not a defect."""

import json
import os
import secrets
import subprocess
import urllib.request

import schemathesis

URL = os.environ["API_FUZZ_URL"]
ROLE = os.environ["API_FUZZ_ROLE"]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
PASSWORD = "Kr7!vq-Zul_94xw#"
# As the document names it: the dashboard has an https:// address.
COOKIE = "__Host-proxima_session"


def post(path: str, body: dict, cookie: str | None = None):
    headers = {"Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
    request = urllib.request.Request(URL + "/api/v1" + path, json.dumps(body).encode(), headers)
    return OPENER.open(request, timeout=30)


def sign_in(username: str) -> str:
    with post("/auth/login", {"username": username, "password": PASSWORD}) as answer:
        # Of several cookies the session's own.
        cookies = [line.split(";")[0] for line in answer.headers.get_all("Set-Cookie")]
        return next(cookie for cookie in cookies if cookie.startswith(COOKIE))


def new_admin() -> str:
    """The console makes one, whatever has become of the last."""
    username = f"admin-{secrets.token_hex(6)}"
    command = [os.environ["API_FUZZ_PROGRAM"], "create-admin", "--username", username, "--password-stdin"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
    return sign_in(username)


def new_customer() -> str:
    username = f"customer-{secrets.token_hex(6)}"
    with post("/users", {"username": username, "password": PASSWORD, "role": "CUSTOMER"}, new_admin()):
        return sign_in(username)


class Person:
    """Holds the cookie of a session that works."""

    def __init__(self) -> None:
        self.cookie = None

    def session(self) -> str:
        if self.cookie is None:
            self.cookie = new_admin() if ROLE == "admin" else new_customer()
        return self.cookie


PERSON = Person()


@schemathesis.auth()
class Session:
    def get(self, case, context):
        return None if ROLE == "anonymous" else PERSON.session()

    def set(self, case, data, context):
        if data is not None:
            name, value = data.split("=", 1)
            case.cookies = {**(case.cookies or {}), name: value}


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code == 401 and ROLE != "anonymous":
        PERSON.cookie = None
