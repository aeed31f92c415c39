# Copyright (c) 2026, The Holdfast authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Bunny Stream answers, takes a library's key, and how many videos are there."""

from __future__ import annotations

from .. import options as opt
from ..api import Api, get_json, whole_number
from ..checks import CheckType, Look, Measure, Option, Seen, Unhealthy, excerpt


def check_bunny(look: Look) -> Seen:
    """Ask for one video of the library (docs.bunny.net, Stream API, "List Videos"), and for how many there are."""
    library, key = look.options["library"], look.options["api_key"]
    api = Api(
        "Bunny Stream",
        f"api_key must be that of the library {library} itself, not the account's",
        f"knows no library {library}",
    )
    answer = get_json(api, look, f"/library/{library}/videos?page=1&itemsPerPage=1", {"AccessKey": key})
    if "TotalItems" in answer:
        raise Unhealthy(
            "expected totalItems of Bunny Stream, got TotalItems, which the account's API answers with: "
            f"url must be that of the Stream API, and api_key that of the library {library} itself"
        )
    videos = whole_number(answer.get("totalItems"))
    if videos is None or not isinstance(answer.get("items"), list):
        raise Unhealthy(f"expected totalItems and items of Bunny Stream, got {excerpt(repr(answer))}")
    return Seen(f"{videos} videos in the library {library}", {"videos": videos})


BUNNY = CheckType(
    options={
        "library": Option(opt.integer, required=True),
        "api_key": Option(opt.token, required=True, secret=True),
        "url": Option(opt.url, "https://video.bunnycdn.com"),
    },
    run=check_bunny,
    target=lambda options: f"library {options['library']}",
    component="component",
    measures={"videos": Measure(lower_is_worse=True)},
    ttl=300,
)
