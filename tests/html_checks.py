"""What must hold of every page, looked at by Python's own HTML parser."""

from html.parser import HTMLParser

_WITH_ADDRESSES = {"src", "href", "srcset", "action", "data", "poster", "formaction", "background"}


class PageReader(HTMLParser):
    """Collects elements, headings and text.

    `elements` are (tag, attributes) in order, `headings` their levels, `text` what is read, and
    `scripts` what is not.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[int] = []
        self.text = ""
        self.scripts = 0
        self._inside: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside.append(tag)
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self._inside):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def check_page(page: bytes) -> PageReader:
    """Check what holds of every page; return what was read."""
    assert len(page) < 3_000_000
    read = PageReader(page.decode())
    assert read.all("html")[0]["lang"] == "en"
    assert read.text.strip()
    _check_headings(read)
    _check_addresses(read)
    policy = next(m for m in read.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert (policy["content"] or "").startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in (policy["content"] or "")
    assert read.scripts == 1
    for image in read.all("img"):
        assert "alt" in image
    for drawing in read.all("svg"):
        assert drawing["role"] == "img"
        assert drawing["aria-label"]
    assert all(button.get("type") == "button" for button in read.all("button"))
    skip = read.all("a")[0]
    assert skip["href"] == "#main"
    return read


def _check_headings(read: PageReader) -> None:
    assert read.headings[0] == 1
    assert read.headings.count(1) == 1
    steps = zip(read.headings, read.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)


def _check_addresses(read: PageReader) -> None:
    identifiers = [a["id"] for _, a in read.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in read.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "style" not in attributes  # the policy forbids it
        for name in _WITH_ADDRESSES & attributes.keys():
            address = attributes[name] or ""
            assert address.startswith(("data:", "#")), (tag, name, address)
            if address.startswith("#"):
                assert address[1:] in identifiers, address
        for name in ("aria-labelledby",):
            assert attributes.get(name, identifiers[0]) in identifiers
