"""An HTML page as a browser would find it."""

import collections
import html.parser

VOID = {"meta", "img", "br", "link", "input", "hr"}


class ParsedPage(html.parser.HTMLParser):
    """Tags with their attributes, the texts of sections, table rows and captions.

    Fails where tags are not balanced.
    """

    def __init__(self, source):
        super().__init__()
        self.open, self.tags, self.tables, self.captions, self.texts = [], [], [], [], collections.defaultdict(list)
        self.section = None
        self.feed(source)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "section":
            self.section = dict(attributes)["id"]
        if tag == "table":
            self.tables.append((self.section, []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][1][-1].append("")
        elif tag == "figcaption":
            self.captions.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts[self.section].append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][1][-1][-1] += data
        if "figcaption" in self.open:
            self.captions[-1] += data

    def rows(self, section):
        """The rows of all tables of a section, each a list of texts."""
        return [row for table_section, table in self.tables if table_section == section for row in table]
