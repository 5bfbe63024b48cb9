"""HTML that is escaped by construction: text becomes `Markup` only through `tag`, which escapes everything else.

Control characters and what does not print are spelled out, as in every other format of a report.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from typing import Any


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


#: What may stand between two tags: nothing, a text, HTML, or several of these.
Child = None | str | Markup | Iterable["Child"]

_VOID = frozenset({"br", "hr", "input", "link", "meta"})


def escape(text: object) -> Markup:
    r"""Text that HTML shows as it is, in an element or in a quoted attribute.

    Examples
    --------
    >>> print(escape("</script><img onerror='a\x1b'>"))
    &lt;/script&gt;&lt;img onerror=&#x27;a\x1b&#x27;&gt;
    """
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))
    return Markup(html.escape(shown, quote=True))


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """An element. Names of attributes: `class_` is class, `aria_label` aria-label; None and False leave them out.

    Examples
    --------
    >>> print(tag("p", "a < b", tag("br"), class_="x", aria_label='"', hidden=True, title=None))
    <p class="x" aria-label="&quot;" hidden>a &lt; b<br></p>
    """
    given = "".join(
        f" {key}" if value is True else f' {key}="{escape(value)}"'
        for key, value in ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
        if value is not None and value is not False
    )
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Child, between: str = "") -> Markup:
    """Children one after the other, with some HTML between them."""
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str):
        return escape(children)
    return Markup(between.join(join(child) for child in children))


def json_text(data: Any) -> Markup:
    r"""Data for a script element: no character of it can end the element or begin another.

    Examples
    --------
    >>> print(json_text({"name": "</script>&"}))
    {"name":"\u003c/script\u003e\u0026"}
    """
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def source_hash(text: str) -> str:
    """What a Content-Security-Policy calls a script or style by."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode() + "'"
