"""Nothing for anyone but the browser that opened the address: no token, a used one, another origin, a foreign name."""

import socket
import threading
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from deid_audit.errors import VideoError
from deid_audit.web.guard import MOST_BODY_BYTES, Guard
from deid_audit.web.serving import serve

PORT = 4321
HOST = f"127.0.0.1:{PORT}"
ORIGIN = {"Origin": f"http://{HOST}"}
SECRET = "what only the reviewer may see"


async def _page(request: Request) -> Response:
    if request.method == "POST":
        form = await request.form()
        return PlainTextResponse(f"{form['said']}")
    return PlainTextResponse(f"{SECRET}|{request.state.csrf}")


def _broken(request: Request) -> Response:
    raise VideoError("the original changed")


def _pages() -> Starlette:
    return Starlette(routes=[Route("/", _page, methods=["GET", "POST"]), Route("/broken", _broken)])


class Opened:
    """A guard and a browser that may have opened its address."""

    def __init__(self, *, enter: bool = True) -> None:
        self.told: list[str] = []
        self.guard = Guard(_pages(), port=PORT, announce=self.told.append)
        self.address = self.guard.address
        self.browser = self.fresh()
        if enter:
            assert self.browser.get(self.address).status_code == 200

    def fresh(self) -> TestClient:
        return TestClient(self.guard, base_url=f"http://{HOST}")

    @property
    def csrf(self) -> str:
        return self.browser.get("/").text.partition("|")[2]


def silent(response: Response) -> bool:
    return response.status_code == 404 and response.content == b""  # type: ignore[attr-defined]


def test_the_address_lets_in_once_and_leaves_no_token_behind() -> None:
    opened = Opened(enter=False)
    first = opened.browser.get(opened.address, follow_redirects=False)
    assert first.status_code == 303 and first.headers["location"] == "/"
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(first.headers["set-cookie"].split("; "))
    assert SECRET in opened.browser.get("/").text
    again = opened.fresh()
    assert silent(again.get(opened.address)) and silent(again.get("/"))


def test_an_empty_token_is_none() -> None:
    opened = Opened()
    assert opened.guard.address.endswith("token=")
    assert silent(opened.fresh().get(opened.guard.address)) and opened.told == []


def test_whoever_comes_back_is_told_a_fresh_address_on_the_terminal_alone() -> None:
    """A closed browser has lost its cookie; the run behind the page waits all the same."""
    opened = Opened()
    before = opened.csrf
    back = opened.fresh()
    assert silent(back.get(opened.address)) and silent(back.get(opened.address))
    [fresh] = opened.told
    assert fresh == opened.guard.address != opened.address
    assert SECRET in opened.browser.get("/").text, "nobody is thrown out before the fresh address was used"
    assert SECRET in back.get(fresh).text
    assert silent(opened.browser.get("/")), "the cookie before it is void"
    assert silent(back.post("/", headers=ORIGIN, data={"said": "clear", "csrf": before})), "and so is its word"
    assert silent(opened.fresh().get(fresh))
    assert len(opened.told) == 2, "every used address brings one back"
    for strange in ("/?token=", "/?token=wrong", f"/other?{fresh.partition('?')[2]}"):
        assert silent(opened.fresh().get(strange))
    assert len(opened.told) == 2


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/favicon.ico", "/static/../../etc/passwd",
                                  "/%2e%2e/%2e%2e/etc/passwd"])  # fmt: skip
def test_without_the_token_there_is_nothing(path: str) -> None:
    opened = Opened(enter=False)
    assert silent(opened.browser.get(path))
    assert SECRET in opened.browser.get(opened.address).text, "the token is not spent by others"


@pytest.mark.parametrize("path", ["/static/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd",
                                  "//etc/passwd", "/\\..\\x", "/no-such-page"])  # fmt: skip
def test_a_path_that_climbs_out_gets_nothing_with_the_cookie_either(path: str) -> None:
    assert silent(Opened().browser.get(path))


@pytest.mark.parametrize("host", ["example.org", f"example.org:{PORT}", "127.0.0.1", "127.0.0.1:80", "", "[::1]:4321"])
def test_a_foreign_name_gets_nothing(host: str) -> None:
    opened = Opened()
    assert silent(opened.browser.get("/", headers={"Host": host}))
    other = Opened(enter=False)
    assert silent(other.browser.get(other.address, headers={"Host": host}))
    assert SECRET in other.browser.get(other.address).text


def test_other_pages_and_wrong_cookies_get_nothing() -> None:
    opened = Opened()
    for site in ("cross-site", "same-site"):
        assert silent(opened.browser.get("/", headers={"Sec-Fetch-Site": site}))
    for cookie in (f"deid_audit_{PORT}=wrong", f"deid_audit_{PORT}=", "x", '"', "deid_audit_1=x"):
        assert silent(opened.fresh().get("/", headers={"Cookie": cookie}))


def _post(opened: Opened, **changes: object) -> Response:
    asked = {"headers": ORIGIN, "data": {"said": "clear", "csrf": opened.csrf}} | changes
    return opened.browser.post("/", **asked)  # type: ignore[arg-type,return-value]


def test_a_form_with_the_word_is_taken_and_read_whole() -> None:
    answer = _post(Opened())
    assert answer.status_code == 200 and answer.text == "clear"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {"said": "clear"}},
        {"data": {"said": "clear", "csrf": "wrong"}},
        {"headers": {}},
        {"headers": {"Origin": "http://example.org"}},
        {"headers": {"Origin": "null"}},
        {"headers": ORIGIN | {"Sec-Fetch-Site": "cross-site"}},
    ],
    ids=["no word", "wrong word", "no origin", "other origin", "null origin", "cross-site"],
)
def test_a_form_without_word_or_from_elsewhere_gets_nothing(changes: dict[str, object]) -> None:
    assert silent(_post(Opened(), **changes))


def test_other_bodies_and_methods_get_nothing() -> None:
    opened = Opened()
    csrf = opened.csrf
    post = opened.browser.post
    assert silent(post("/", headers=ORIGIN, json={"csrf": csrf}))
    long = urlencode({"csrf": csrf, "said": "x" * MOST_BODY_BYTES}).encode()
    form = ORIGIN | {"Content-Type": "application/x-www-form-urlencoded"}
    assert silent(post("/", headers=form, content=long))
    assert silent(post("/", headers=form, content=f"csrf={csrf}&csrf={csrf}".encode()))
    assert silent(post("/", headers=form, content=b"\xff" + f"&csrf={csrf}".encode()))
    assert silent(post("/", headers=form, content=f"csrf={csrf}&said=x".encode())) is False
    for method in ("PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"):
        assert silent(opened.browser.request(method, "/", headers=ORIGIN))


def test_every_answer_carries_the_policy() -> None:
    opened = Opened()
    for answer in (opened.browser.get("/"), opened.browser.get("/no"), opened.fresh().get("/")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "*" not in policy


def test_a_websocket_is_closed() -> None:
    opened = Opened()
    with pytest.raises(Exception), opened.browser.websocket_connect("/"):  # noqa: B017
        pass


# -- served ------------------------------------------------------------------------------------------------------------


def _serve(visit: str) -> tuple[str, BaseException | None]:
    """What a browser got from a served page at `visit`, and what ended the serving."""
    finished = threading.Event()
    got: list[str] = []

    def browse(address: str) -> None:
        browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.ProxyHandler({})
        )
        got.append(browser.open(address, timeout=20).read().decode())
        try:
            browser.open(address.partition("?")[0] + visit, timeout=20).read()
        except urllib.error.HTTPError as error:
            got.append(str(error.code))
        got.append(address)
        finished.set()

    raised: BaseException | None = None
    try:
        serve(
            _pages(),
            finished=finished,
            announce=lambda address: threading.Thread(target=browse, args=(address,)).start(),
        )
    except VideoError as error:
        raised = error
    return "\n".join(got), raised


def test_a_page_is_served_on_the_loopback_until_it_is_finished() -> None:
    got, raised = _serve("")
    assert SECRET in got and raised is None
    address = got.splitlines()[-1]
    port = int(address.split(":")[2].partition("/")[0])
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", port)) != 0, "nobody listens any more"
    assert not [thread for thread in threading.enumerate() if thread.name == "page"]


def test_what_a_page_raises_ends_the_serving(capfd: pytest.CaptureFixture[str]) -> None:
    got, raised = _serve("broken")
    assert isinstance(raised, VideoError) and SECRET in got
    assert capfd.readouterr() == ("", "")


def test_what_a_signal_raises_ends_the_serving() -> None:
    def stop(address: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serve(_pages(), finished=threading.Event(), announce=stop)
    assert not [thread for thread in threading.enumerate() if thread.name == "page"]
