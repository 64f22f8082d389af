"""An S3-compatible store on this machine's loopback: moto's, with a note of every request. Needs s3fs and moto."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

BUCKET = "exams"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@dataclass(slots=True)
class Bucket:
    """The store: `fetched` has (object, first byte, bytes) of every object that was read, `refuses` answers 403."""

    url: str
    fetched: list[tuple[str, int, int]] = field(default_factory=list)
    refuses: Callable[[str, str], bool] = lambda method, key: False


@contextmanager
def serving(environment: Callable[[str, str], None]) -> Iterator[Bucket]:
    """An empty bucket; `environment` is told how its clients find it."""
    import s3fs  # noqa: PLC0415
    from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    inner = DomainDispatcherApplication(create_backend_app)

    class Silent(WSGIRequestHandler):
        def log_request(self, *_: Any) -> None:
            return

    def app(request: dict[str, Any], start: Any) -> Any:
        method, key = request["REQUEST_METHOD"], request["PATH_INFO"].removeprefix(f"/{BUCKET}").lstrip("/")
        if bucket.refuses(method, key):
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"]
        if method == "GET" and key:
            first, _, last = request.get("HTTP_RANGE", "bytes=0-").removeprefix("bytes=").partition("-")
            bucket.fetched.append((key, int(first), int(last) + 1 - int(first) if last else -1))
        return inner(request, start)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    bucket = Bucket(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    for name, value in (_ENVIRONMENT | {"AWS_ENDPOINT_URL": bucket.url}).items():
        environment(name, value)
    try:
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(BUCKET)
        yield bucket
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.shutdown()
        thread.join()
