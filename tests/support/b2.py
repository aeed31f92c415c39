"""A local server that speaks Backblaze B2's native API, and misbehaves on demand.

The calls, their fields and their errors are those of https://www.backblaze.com/apidocs/introduction-to-the-b2-native-api;
what is kept is kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import itertools
import json
import re
import threading
import time
import urllib.parse
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

CAPABILITIES = [
    "listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles", "readFileRetentions", "writeFileRetentions",
    "readFileLegalHolds", "writeFileLegalHolds", "readBucketRetentions", "readBucketEncryption",
]  # fmt: skip
PART_SIZE = 100_000


class Refused(Exception):
    """An error as the API answers it."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Stored:
    """One version of a file: whole, hidden, or a large one that is not finished."""

    id: str
    name: str
    action: str
    info: dict[str, str]
    data: bytes = b""
    sha1: str = "none"
    retention: dict[str, Any] = field(default_factory=lambda: {"mode": None})
    legal_hold: str | None = None
    encryption: dict[str, Any] = field(default_factory=lambda: {"mode": None})
    parts: dict[int, bytes] = field(default_factory=dict)
    time: int = field(default_factory=lambda: int(time.time() * 1000))

    def as_json(self) -> dict[str, Any]:
        return {
            "accountId": "account", "action": self.action, "bucketId": "bucket0", "contentLength": len(self.data),
            "contentSha1": self.sha1, "contentType": "application/octet-stream", "fileId": self.id,
            "fileInfo": self.info, "fileName": self.name, "uploadTimestamp": self.time,
            "serverSideEncryption": self.encryption,
            "fileRetention": {"isClientAuthorizedToRead": True, "value": self.retention},
            "legalHold": {"isClientAuthorizedToRead": True, "value": self.legal_hold},
        }  # fmt: skip

    @property
    def locked(self) -> bool:
        until = self.retention.get("retainUntilTimestamp") or 0
        return self.legal_hold == "on" or until > time.time() * 1000


class B2:
    """The state behind the server: keys, one bucket, its files, and the faults to come."""

    def __init__(self, bucket: str = "off-site") -> None:
        self.bucket = bucket
        self.capabilities = list(CAPABILITIES)
        self.key = ("key-id", "application-key")
        self.files: list[Stored] = []
        self.faults: dict[str, list[Any]] = {}
        self.calls: list[str] = []
        self.tokens: set[str] = set()
        self.url = ""
        self._ids = itertools.count(1)
        self._lock = threading.RLock()

    def fail(self, call: str, *faults: Any) -> None:
        """The next requests of a call (b2_upload_file, download, ...) fail in these ways, one after the other.

        A fault is (status, code, headers); `cut` for a connection that breaks, `flip` for a body with a wrong byte,
        `expire`, which makes all tokens old first, or a number of seconds that the body takes.
        """
        self.faults.setdefault(call, []).extend(faults)

    def next_fault(self, call: str) -> Any:
        with self._lock:
            self.calls.append(call)
            waiting = self.faults.get(call)
            return waiting.pop(0) if waiting else None

    def visible(self) -> dict[str, Stored]:
        """The newest version of each name, hidden and unfinished ones left out."""
        newest: dict[str, Stored] = {}
        for one in self.files:
            if one.action != "start":
                newest[one.name] = one
        return {name: one for name, one in newest.items() if one.action == "upload"}

    def authorize(self, header: str) -> dict[str, Any]:
        given = tuple(b64decode(header.removeprefix("Basic ")).decode().split(":", 1))
        if given != self.key:
            raise Refused(401, "bad_auth_token", "invalid application key")
        token = f"token{next(self._ids)}"
        self.tokens.add(token)
        api = {
            "apiUrl": self.url, "downloadUrl": self.url, "s3ApiUrl": self.url, "recommendedPartSize": PART_SIZE,
            "absoluteMinimumPartSize": PART_SIZE, "capabilities": self.capabilities, "bucketId": None,
            "bucketName": None, "namePrefix": None,
        }  # fmt: skip
        return {"accountId": "account", "authorizationToken": token, "apiInfo": {"storageApi": api, "groupsApi": {}}}

    def need(self, token: str, capability: str) -> None:
        if token not in self.tokens:
            raise Refused(401, "expired_auth_token", "Authorization token has expired")
        if capability not in self.capabilities:
            raise Refused(401, "unauthorized", f"lacks {capability}")

    def find(self, file_id: str) -> Stored:
        for one in self.files:
            if one.id == file_id:
                return one
        raise Refused(400, "file_not_present", f"File not present: {file_id}")

    def store(self, name: str, action: str, info: dict[str, str]) -> Stored:
        made = Stored(f"id{next(self._ids):06d}", name, action, info)
        with self._lock:
            self.files.append(made)
        return made

    # -- the calls with a JSON body, by their names --

    def b2_list_buckets(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "listBuckets")
        lock = {"isFileLockEnabled": True, "defaultRetention": {"mode": None, "period": None}}
        bucket = {
            "accountId": "account", "bucketId": "bucket0", "bucketName": self.bucket, "bucketType": "allPrivate",
            "bucketInfo": {}, "corsRules": [], "lifecycleRules": [], "revision": 1, "options": [],
            "defaultServerSideEncryption": {"isClientAuthorizedToRead": True, "value": {"mode": None}},
            "fileLockConfiguration": {"isClientAuthorizedToRead": True, "value": lock},
        }  # fmt: skip
        return {"buckets": [bucket] if body.get("bucketName") in (None, self.bucket) else []}

    def _listed(self, files: list[Stored], body: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
        prefix = body.get("prefix") or ""
        start = body.get("startFileName") or ""
        found = [one for one in sorted(files, key=lambda one: one.name) if one.name.startswith(prefix)]
        found = [one for one in found if one.name >= start]
        count = min(body.get("maxFileCount") or 100, 3)  # small pages, so that paging is seen to work
        page = found[:count]
        while len(page) < len(found) and found[len(page)].name == page[-1].name:
            page.append(found[len(page)])
        rest = found[len(page) :]
        return [one.as_json() for one in page], rest[0].name if rest else None

    def b2_list_file_names(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "listFiles")
        files, following = self._listed(list(self.visible().values()), body)
        return {"files": files, "nextFileName": following}

    def b2_list_file_versions(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "listFiles")
        files, following = self._listed(self.files[::-1], body)
        return {"files": files, "nextFileName": following, "nextFileId": None}

    def b2_list_unfinished_large_files(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "listFiles")
        prefix = body.get("namePrefix") or ""
        found = [one for one in self.files if one.action == "start" and one.name.startswith(prefix)]
        return {"files": [one.as_json() for one in found], "nextFileId": None}

    def b2_get_upload_url(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        return {"bucketId": "bucket0", "uploadUrl": f"{self.url}/upload/{next(self._ids)}", "authorizationToken": token}

    def b2_start_large_file(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        made = self.store(body["fileName"], "start", body.get("fileInfo") or {})
        made.retention = body.get("fileRetention") or made.retention
        made.legal_hold = body.get("legalHold")
        made.encryption = body.get("serverSideEncryption") or made.encryption
        return made.as_json()

    def b2_get_upload_part_url(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        url = f"{self.url}/part/{body['fileId']}/{next(self._ids)}"
        return {"fileId": body["fileId"], "uploadUrl": url, "authorizationToken": token}

    def b2_list_parts(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        found = self.find(body["fileId"])
        parts = [
            {"fileId": found.id, "partNumber": number, "contentLength": len(data), "uploadTimestamp": found.time,
             "contentSha1": hashlib.sha1(data, usedforsecurity=False).hexdigest()}
            for number, data in sorted(found.parts.items())
        ]  # fmt: skip
        return {"parts": parts, "nextPartNumber": None}

    def b2_finish_large_file(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        found = self.find(body["fileId"])
        pieces = [found.parts[number] for number in sorted(found.parts)]
        if [hashlib.sha1(piece, usedforsecurity=False).hexdigest() for piece in pieces] != body["partSha1Array"]:
            raise Refused(400, "bad_request", "the parts are not those")
        found.data, found.action, found.parts = b"".join(pieces), "upload", {}
        return found.as_json()

    def b2_cancel_large_file(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        found = self.find(body["fileId"])
        self.files.remove(found)
        return {"fileId": found.id, "accountId": "account", "bucketId": "bucket0", "fileName": found.name}

    def b2_hide_file(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "writeFiles")
        return self.store(body["fileName"], "hide", {}).as_json()

    def b2_delete_file_version(self, body: dict[str, Any], token: str) -> dict[str, Any]:
        self.need(token, "deleteFiles")
        found = self.find(body["fileId"])
        if found.locked:
            raise Refused(401, "access_denied", "the file is locked")
        self.files.remove(found)
        return {"fileId": found.id, "fileName": found.name}

    # -- the calls that carry a file --

    def upload(self, headers: Any, data: bytes) -> dict[str, Any]:
        self.need(headers["Authorization"], "writeFiles")
        data, sha1 = _checked(headers, data)
        info = {
            name.lower().removeprefix("x-bz-info-"): urllib.parse.unquote(value)
            for name, value in headers.items()
            if name.lower().startswith("x-bz-info-")
        }
        made = self.store(urllib.parse.unquote(headers["X-Bz-File-Name"]), "start", info)
        made.data, made.sha1, made.action = data, sha1, "upload"
        made.legal_hold = headers.get("X-Bz-File-Legal-Hold")
        if headers.get("X-Bz-File-Retention-Mode"):
            until = int(headers["X-Bz-File-Retention-Retain-Until-Timestamp"])
            made.retention = {"mode": headers["X-Bz-File-Retention-Mode"], "retainUntilTimestamp": until}
        if headers.get("X-Bz-Server-Side-Encryption"):
            made.encryption = {"mode": "SSE-B2", "algorithm": headers["X-Bz-Server-Side-Encryption"]}
        return made.as_json()

    def upload_part(self, file_id: str, headers: Any, data: bytes) -> dict[str, Any]:
        self.need(headers["Authorization"], "writeFiles")
        data, sha1 = _checked(headers, data)
        number = int(headers["X-Bz-Part-Number"])
        self.find(file_id).parts[number] = data
        return {"fileId": file_id, "partNumber": number, "contentLength": len(data), "contentSha1": sha1}


def _checked(headers: Any, data: bytes) -> tuple[bytes, str]:
    sha1 = headers["X-Bz-Content-Sha1"]
    if sha1 == "hex_digits_at_end":
        data, sha1 = data[:-40], data[-40:].decode()
    if hashlib.sha1(data, usedforsecurity=False).hexdigest() != sha1:
        raise Refused(400, "bad_request", "Sha1 did not match data received")
    return data, sha1


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    b2: B2

    def log_message(self, *args: Any) -> None:
        """Nothing: a test that fails has its own words."""

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kind, *rest = self.path.strip("/").split("/")
        if kind == "upload":
            self._answer("b2_upload_file", lambda: self.b2.upload(self.headers, data))
        elif kind == "part":
            self._answer("b2_upload_part", lambda: self.b2.upload_part(rest[0], self.headers, data))
        else:
            call = rest[-1]
            token = self.headers["Authorization"]
            if call == "b2_authorize_account":
                self._answer(call, lambda: self.b2.authorize(token))
            else:
                self._answer(call, lambda: getattr(self.b2, call)(json.loads(data), token))

    def do_GET(self) -> None:
        wanted = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)["fileId"][0]
        self._answer("download", lambda: self._file(wanted))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _file(self, file_id: str) -> Stored:
        self.b2.need(self.headers["Authorization"], "readFiles")
        return self.b2.find(file_id)

    def _answer(self, call: str, work: Callable[[], Any]) -> None:
        fault = self.b2.next_fault(call)
        if fault == "cut":
            self.close_connection = True
            self.connection.close()
            return
        if fault == "expire":
            self.b2.tokens.clear()
        try:
            if isinstance(fault, tuple):
                status, code, headers = fault
                return self._send(status, {"status": status, "code": code, "message": code}, headers)
            result = work()
        except Refused as error:
            return self._send(error.status, {"status": error.status, "code": error.code, "message": error.message})
        if isinstance(result, Stored):
            return self._send_file(result, fault)
        return self._send(200, result)

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, found: Stored, fault: Any) -> None:
        data, status = found.data, 200
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
        if wanted:
            first, last = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
            data, status = data[first : last + 1], 206
        if fault == "flip" and data:
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.send_response(status)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(found.data)}")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Bz-File-Id", found.id)
        self.send_header("X-Bz-File-Name", urllib.parse.quote(found.name))
        self.send_header("X-Bz-Content-Sha1", found.sha1)
        self.send_header("X-Bz-Upload-Timestamp", str(found.time))
        for name, value in found.info.items():
            self.send_header(f"X-Bz-Info-{name}", urllib.parse.quote(value))
        self.end_headers()
        if self.command != "HEAD":
            slowly = fault if isinstance(fault, float) else 0.0
            for start in range(0, len(data), len(data) // 10 + 1):
                time.sleep(slowly / 10)
                self.wfile.write(data[start : start + len(data) // 10 + 1])


@contextlib.contextmanager
def b2_server() -> Iterator[B2]:
    """The server, listening on the loopback."""
    state = B2()
    handler = type("Handler", (_Handler,), {"b2": state})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
