# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket of Backblaze B2, by Backblaze's own library.

The library uploads large files in parts and in parallel, finds the parts that an earlier run left, and waits and tries
again where the service asks for it (https://www.backblaze.com/docs/cloud-storage-integration-checklist).
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ..errors import HoldfastError, MissingLibrary, OffsiteError

# What a key must be allowed (https://www.backblaze.com/docs/cloud-storage-application-key-capabilities).
READ = ("listBuckets", "listFiles", "readFiles")
WRITE = ("listBuckets", "listFiles", "writeFiles")
REMOVE = ("listBuckets", "listFiles", "writeFiles", "deleteFiles")

_PATIENCE = 10
_WAIT_S = 5.0
_LONGEST_WAIT_S = 60.0


@dataclass(frozen=True)
class Target:
    """A bucket, the key to it, and how files are kept there. `bandwidth` is in bytes per second."""

    bucket: str
    key_id: str
    application_key: str = field(repr=False)
    realm: str = "production"
    encryption: bool = True
    retention_days: int | None = None
    retention_mode: str = "governance"
    legal_hold: bool = False
    bandwidth: int | None = None

    def capabilities(self, wanted: Iterable[str]) -> list[str]:
        """What the key must be allowed, with what the locks need."""
        locks = {"writeFileRetentions": self.retention_days, "writeFileLegalHolds": self.legal_hold}
        return [*wanted, *(name for name, used in locks.items() if used and "writeFiles" in wanted)]


@dataclass(frozen=True)
class Version:
    """One version of a file in the bucket; `handle` is the library's own object.

    `action` is `upload` for a whole file, `start` for one that is being sent in parts, `hide` for a mark that hides it.
    """

    name: str
    action: str
    size: int
    info: Mapping[str, str]
    uploaded: datetime
    handle: Any = field(repr=False)

    @property
    def sha1(self) -> str | None:
        """B2's own hash of the file; of a large one what its uploader gave."""
        found = self.handle.get_content_sha1()
        return str(found) if found else None

    @property
    def locked(self) -> bool:
        """Whether it cannot be removed now, as far as the key may know."""
        until = self.handle.file_retention.retain_until if self.handle.file_retention else None
        held = self.handle.legal_hold and self.handle.legal_hold.is_on()
        return bool(held or (until and until > time.time() * 1000))


class B2Store:
    """The files of one bucket. Every method raises OffsiteError when B2 refuses or stays away."""

    def __init__(self, target: Target, wanted: Iterable[str]) -> None:
        self._library = _library()
        self._target = target
        self._throttle = _Throttle(target.bandwidth) if target.bandwidth else None
        with self._errors("log in to B2"):
            api = self._library.B2Api(self._library.InMemoryAccountInfo())
            api.authorize_account(target.realm, target.key_id, target.application_key)
            self._check_key(api.account_info.get_allowed(), target.capabilities(wanted))
            self._bucket = api.get_bucket_by_name(target.bucket)

    def _check_key(self, allowed: Mapping[str, Any], wanted: Iterable[str]) -> None:
        missing = [name for name in wanted if name not in allowed["capabilities"]]
        if missing:
            raise OffsiteError(
                f"The B2 key {self._target.key_id} lacks the capabilities {', '.join(missing)}. Make one that has them:"
                f" b2 key create --bucket {self._target.bucket} holdfast {','.join(wanted)}"
            )
        if allowed.get("bucketName") not in (None, self._target.bucket):
            raise OffsiteError(f"The B2 key {self._target.key_id} is for the bucket {allowed['bucketName']} alone.")
        self._prefix = str(allowed.get("namePrefix") or "")

    @property
    def bucket(self) -> str:
        """Its name."""
        return self._target.bucket

    def check_prefix(self, prefix: str) -> None:
        """Raise OffsiteError when the key may not use names that begin so."""
        if not prefix.startswith(self._prefix):
            raise OffsiteError(f"The B2 key {self._target.key_id} may use names below {self._prefix!r} alone.")

    def versions(self, prefix: str) -> list[Version]:
        """Every version of every file whose name begins so."""
        with self._errors(f"list {prefix}"):
            found = self._bucket.ls(prefix, latest_only=False, recursive=True)
            return [self._version(one) for one, _ in found]

    @staticmethod
    def _version(one: Any) -> Version:
        uploaded = datetime.fromtimestamp(one.upload_timestamp / 1000, timezone.utc)
        return Version(one.file_name, one.action, one.size or 0, one.file_info or {}, uploaded, one)

    def upload(self, path: Path, name: str, info: Mapping[str, str], sha1: str, *, made: datetime) -> None:
        """Store a file; `sha1` is that of its bytes.

        A lock counts from `made`, so that an upload that is taken up again asks for the same lock.
        """
        library, target = self._library, self._target
        retention = None
        if target.retention_days:
            until = int((made + timedelta(days=target.retention_days)).timestamp() * 1000)
            retention = library.FileRetentionSetting(library.RetentionMode(target.retention_mode), until)
        with self._errors(f"upload {name}"):
            self._patiently(
                self._bucket.upload,
                self._source(path, sha1),
                name,
                content_type="application/octet-stream",
                file_info=dict(info),
                encryption=library.SSE_B2_AES if target.encryption else None,
                file_retention=retention,
                legal_hold=library.LegalHold.ON if target.legal_hold else None,
                large_file_sha1=sha1,
            )

    def _patiently(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call again when B2 asks to wait: the library (2.13) does so for every call but those that carry data."""
        for _ in range(_PATIENCE):
            try:
                return call(*args, **kwargs)
            except self._library.exception.TooManyRequests as error:
                time.sleep(min(error.retry_after_seconds or _WAIT_S, _LONGEST_WAIT_S))
        return call(*args, **kwargs)

    def _source(self, path: Path, sha1: str) -> Any:
        throttle = self._throttle

        class Source(self._library.UploadSourceLocalFile):  # type: ignore[misc, name-defined]
            def open(self) -> Any:
                return _Slow(path, throttle) if throttle else open(path, "rb")

        return Source(path, content_sha1=sha1)

    def download(self, version: Version, path: Path) -> None:
        """Write a version's bytes to a new file of mode 0600."""
        with self._errors(f"download {version.name}"):
            path.touch(mode=0o600, exist_ok=False)
            self._bucket.download_file_by_id(version.handle.id_).save_to(path)

    def remove(self, version: Version) -> bool:
        """Remove a version for good; False when it is locked."""
        exception = self._library.exception
        with self._errors(f"remove {version.name}"):
            try:
                if version.action == "start":
                    self._bucket.cancel_large_file(version.handle.id_)
                else:
                    version.handle.delete()
            except exception.AccessDenied:
                return False
            except exception.FileNotPresent:
                pass  # somebody else was quicker
        return True

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        exception = self._library.exception
        target = self._target
        try:
            yield
        except (exception.InvalidAuthToken, exception.Unauthorized) as error:
            raise OffsiteError(f"Could not {doing}: B2 does not accept the key {target.key_id}: {error}") from error
        except exception.NonExistentBucket as error:
            raise OffsiteError(f"There is no bucket {target.bucket} that the key {target.key_id} may see.") from error
        except exception.CapExceeded as error:
            raise OffsiteError(
                f"Could not {doing}: a cap of the B2 account is reached. Raise it under Caps & Alerts. ({error})"
            ) from error
        except exception.B2Error as error:
            raise OffsiteError(f"Could not {doing} in the bucket {target.bucket}: {error}") from error
        except OSError as error:
            raise HoldfastError(f"Could not {doing}: {error.strerror or error}.") from error


class _Throttle:
    """A rate, in bytes per second, that all threads keep together."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free = time.monotonic()

    def wait(self, size: int) -> None:
        """Return when `size` more bytes may go."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free)
            self._free = start + size / self._rate
        time.sleep(start - now)


class _Slow(io.FileIO):
    """A file that is read at the pace of a throttle."""

    def __init__(self, path: Path, throttle: _Throttle) -> None:
        super().__init__(path, "rb")
        self._throttle = throttle

    def read(self, size: int | None = -1, /) -> Any:
        data = super().read(-1 if size is None else size)
        self._throttle.wait(len(data or b""))
        return data


def _library() -> Any:
    try:
        import b2sdk.v2
    except ImportError:
        raise MissingLibrary("b2sdk") from None
    return b2sdk.v2
