"""All pages: whatever they link to and every picture that they show is there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def slug(heading: str) -> str:
    """As GitHub makes an anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def links_problems(path: pathlib.Path, page: str) -> list[str]:
    """Of a page's text, as if it lay there."""
    problems = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page):
        if re.match(r"https?:", target):
            continue
        file, _, anchor = target.partition("#")
        there = path.parent / file if file else path
        if not there.exists():
            problems.append(f"the link {target} leads nowhere")
        elif anchor and anchor not in anchors(page if there == path else there.read_text()):
            problems.append(f"the link {target} leads to no heading")
    return problems


def pages() -> list[pathlib.Path]:
    return sorted(path for folder in [".", "docs", "bench", "fuzz"] for path in (ROOT / folder).glob("*.md"))


class Pages(unittest.TestCase):
    def test_every_link_and_picture_is_there(self):
        found = {path.name: links_problems(path, path.read_text()) for path in pages()}
        self.assertEqual({name: problems for name, problems in found.items() if problems}, {})
        self.assertLessEqual({"README.md", "operate.md", "ARCHITECTURE.md"}, set(found))

    def test_what_is_missing_is_seen(self):
        page = "# One\n[a](#one) [b](#two) ![c](docs/none.png) [d](docs/operate.md#none) [e](docs/operate.md) [f](https://example.com)"
        self.assertEqual(
            links_problems(ROOT / "README.md", page),
            ["the link #two leads to no heading", "the link docs/none.png leads nowhere", "the link docs/operate.md#none leads to no heading"],
        )


if __name__ == "__main__":
    unittest.main()
