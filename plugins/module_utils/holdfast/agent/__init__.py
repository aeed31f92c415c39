# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent: it looks at regular times, writes what it saw, and tells people what they should know."""

DEFAULT_INTERVAL_S = 60.0
