# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the modules that remove old backups."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  keep_last:
    description: Keep so many of the newest sets; V(-1) keeps all, here and in the next five options.
    type: int
    default: 0
  keep_hourly:
    description: Keep the newest set of each of so many hours that have one.
    type: int
    default: 0
  keep_daily:
    description: Keep the newest set of each of so many days that have one. Days, weeks and so on are those of UTC.
    type: int
    default: 0
  keep_weekly:
    description: Keep the newest set of each of so many weeks (ISO 8601) that have one.
    type: int
    default: 0
  keep_monthly:
    description: Keep the newest set of each of so many months that have one.
    type: int
    default: 0
  keep_yearly:
    description: Keep the newest set of each of so many years that have one.
    type: int
    default: 0
  keep_within:
    description:
      - Keep all sets made within this time before the newest one, written like V(7d), V(12h) or V(1y6m) (years, months,
        days, hours).
    type: str
  keep_within_hourly:
    description: Keep the newest set of each hour within this time before the newest one.
    type: str
  keep_within_daily:
    description: Keep the newest set of each day within this time before the newest one.
    type: str
  keep_within_weekly:
    description: Keep the newest set of each week within this time before the newest one.
    type: str
  keep_within_monthly:
    description: Keep the newest set of each month within this time before the newest one.
    type: str
  keep_within_yearly:
    description: Keep the newest set of each year within this time before the newest one.
    type: str
notes:
  - The C(keep) options mean what they mean to restic's C(forget), and like there a set is kept that any of them keeps.
"""
