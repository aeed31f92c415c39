# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of every module that works on one database."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine:
    description: The kind of the database. V(mysql) stands for MySQL and MariaDB.
    type: str
    required: true
    choices: [mysql, postgresql, sqlite]
  database:
    description: The database's name; for O(engine=sqlite) the path of its file.
    type: str
    required: true
  login_host:
    description: The host the database server runs on. Not used with O(login_unix_socket) or O(engine=sqlite).
    type: str
    default: localhost
  login_port:
    description: The server's port; 3306 for MySQL and MariaDB and 5432 for PostgreSQL when not given.
    type: int
  login_user:
    description: The user to log in as.
    type: str
  login_password:
    description:
      - The user's password.
      - It is handed to the database's own programs in memory, never by an argument, the environment or a file on disk.
    type: str
  login_unix_socket:
    description:
      - The path of the server's socket (MySQL and MariaDB), or the folder it lies in (PostgreSQL).
    type: str
requirements:
  - PyMySQL and the MariaDB or MySQL client programs (O(engine=mysql))
  - psycopg 3 and the PostgreSQL client programs (O(engine=postgresql))
  - the program of the chosen compression (zstd or gzip)
"""
