# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a rehearsal takes place."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  rehearse_login_host:
    description:
      - The server that holds the scratch database of a rehearsal. When none of the C(rehearse_login) options is given,
        it is the database's own, by the same login.
    type: str
  rehearse_login_port:
    description: That server's port.
    type: int
  rehearse_login_user:
    description: The user to log in as there; one who may create databases named C(holdfast_scratch_...).
    type: str
  rehearse_login_password:
    description: That user's password.
    type: str
  rehearse_login_unix_socket:
    description: The path of that server's socket, or the folder it lies in (PostgreSQL).
    type: str
"""
