"""What pages share: their templates, and drawings that are safe in them.

A page needs no network, no script and no other file.
"""

import re
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, PackageLoader, StrictUndefined

from syzygy.claims import SOURCES, ranged, ranges


def filled(template: str, **content: Any) -> str:
    """Fill a template of this package."""
    environment = Environment(
        loader=PackageLoader("syzygy", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {"SOURCES": SOURCES, "ranged": ranged, "ranges": ranges}
    return environment.get_template(template).render(**content)


def embedded(svg: str, caption: str, prefix: str) -> str:
    """Give a drawing as an element of an HTML page.

    Its ids, and what refers to them, get a prefix: clip paths and glyphs of one drawing are not taken for
    those of another.  Its size becomes that of its surroundings, its metadata and its style sheet (which
    would reach the whole page) go, and it says what it shows to those who cannot see it.
    """
    root = ElementTree.fromstring(svg)
    for parent in root.iter():
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style", "script", "foreignObject"):
                parent.remove(child)
    for element in root.iter():
        # In HTML, what stands inside <svg> is SVG; prefixes of namespaces are neither needed nor known.
        element.tag, element.text, element.tail = _local(element.tag), (element.text or "").strip(), None
        element.attrib = {
            _local(name): _prefixed(_local(name), value, prefix)
            for name, value in element.items()
            if not _local(name).startswith("on")
        }
    width = root.attrib.pop("width")
    del root.attrib["height"], root.attrib["version"]
    root.attrib |= {
        "role": "img",
        "aria-label": caption,
        "style": f"--width: {width}",
        "stroke-linejoin": "round",  # what the style sheet said
    }
    return ElementTree.tostring(root, encoding="unicode")


def _prefixed(name: str, value: str, prefix: str) -> str:
    """Give the value of an attribute with every id in it prefixed."""
    if name == "id":
        return prefix + value
    if name == "href":
        return re.sub("^#", f"#{prefix}", value)
    return re.sub(r"url\((['\"]?)#", rf"url(\1#{prefix}", value)


def _local(tag: Any) -> str:
    """Give the name of an element or attribute without its namespace."""
    return str(tag).rpartition("}")[2]
