# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of checks. A new one is a file here and a line below."""

from __future__ import annotations

from ..checks import CheckType
from .backup import BACKUP
from .bunny import BUNNY
from .certificate import CERTIFICATE
from .command import COMMAND
from .database import DATABASE
from .disk import DISK
from .dns import DNS
from .http import HTTP
from .load import LOAD
from .memory import MEMORY
from .mysql import MYSQL
from .postgresql import POSTGRESQL
from .process import PROCESS
from .queue import QUEUE
from .redis import REDIS
from .scheduler import SCHEDULER
from .sqlite import SQLITE
from .stripe import STRIPE
from .supervisor import SUPERVISOR
from .systemd import SYSTEMD
from .tcp import TCP
from .tls import TLS
from .webhook_idempotency import WEBHOOK_IDEMPOTENCY

TYPES: dict[str, CheckType] = {
    "http": HTTP,
    "tcp": TCP,
    "command": COMMAND,
    "database": DATABASE,
    "disk": DISK,
    "memory": MEMORY,
    "load": LOAD,
    "process": PROCESS,
    "supervisor": SUPERVISOR,
    "systemd": SYSTEMD,
    "scheduler": SCHEDULER,
    "mysql": MYSQL,
    "postgresql": POSTGRESQL,
    "sqlite": SQLITE,
    "tls": TLS,
    "certificate": CERTIFICATE,
    "dns": DNS,
    "stripe": STRIPE,
    "bunny": BUNNY,
    "backup": BACKUP,
    "webhook_idempotency": WEBHOOK_IDEMPOTENCY,
    "redis": REDIS,
    "queue": QUEUE,
}
