"""docs/security*.md: every test, file and place that they name exists, and every requirement of OWASP ASVS 5.0 has one answer."""

import functools
import pathlib
import re
import unittest

from test_pages import ROOT, links_problems

PAGES = {page.name: page.read_text() for page in sorted((ROOT / "docs").glob("security*.md"))}
TABLE = "security-asvs.md"
# Ids and levels of the standard, levels 1 and 2: one a line.
IDS = (ROOT / "scripts/tests/asvs-5.0.txt").read_text()
NOT_MET = "What is not met"

RUST_TEST = re.compile(
    r"^[ \t]*#\[(?:\w+::)?test\b[^\]]*\]\s*"  # #[test], #[tokio::test(…)], #[sqlx::test(…)]
    r"((?:(?:#\[[^\]]*\]|//[^\n]*)\s*)*)"
    r"(?:pub(?:\([^)]*\))? )?(?:async )?fn (\w+)\(",
    re.MULTILINE,
)
NODE_TEST = re.compile(r"^[ \t]*(?:(?:await )?(?:\w\.)?(?:test|it)(?:\.each\([^\n]*\))?|\]\))\(\s*(['\"`])((?:\\.|(?!\1).)*)\1\s*,", re.MULTILINE)


def sources(*patterns: str) -> list[pathlib.Path]:
    found = (path for pattern in patterns for path in ROOT.glob(pattern))
    return [path for path in found if not {"node_modules", "target"} & set(path.relative_to(ROOT).parts)]


@functools.cache
def known_tests() -> frozenset[str]:
    """All that may stand in a column of tests, as it is written there."""
    names = set()
    for path in sources("crates/*/src/**/*.rs", "crates/*/tests/**/*.rs"):
        names |= {name for attributes, name in RUST_TEST.findall(path.read_text()) if "#[ignore" not in attributes}
    for path in sources("e2e/tests/*.js", "e2e/lab/*.js", "web/src/**/*.test.ts", "web/src/**/*.test.tsx"):
        titles = (re.sub(r"\\(.)", r"\1", title) for _, title in NODE_TEST.findall(path.read_text()))
        names |= {f"{path.name}: {title}" for title in titles}
    for path in sources("scripts/tests/*.py"):
        names |= {f"{path.name}: {name}" for name in re.findall(r"^    def (test_\w+)\(self", path.read_text(), re.MULTILINE)}
    names |= {f"fuzz: {path.stem}" for path in sources("fuzz/fuzz_targets/*.rs")}
    names |= {f"./test {part}" for part in re.findall(r"^part_([\w-]+)\(\)", (ROOT / "test").read_text(), re.MULTILINE)}
    return frozenset(names)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def tables(page: str) -> list[tuple[list[str], list[list[str]]]]:
    """Heads and rows of a page's tables."""
    found, block = [], []
    for line in [*page.splitlines(), ""]:
        if line.startswith("|"):
            block.append(cells(line))
        elif block:
            found.append((block[0], block[2:]))
            block = []
    return found


def split_reason(cell: str) -> tuple[str, str]:
    tests, _, reason = cell.partition("by construction:")
    return tests, reason.strip()


def named_tests(page: str) -> list[str]:
    """Whatever a column called "test" names; and, anywhere, what can be nothing else."""
    names = []
    for head, rows in tables(page):
        if "test" in head:
            names += [name for row in rows for name in quoted(split_reason(row[head.index("test")])[0])]
    for name in quoted(page):
        rust = re.fullmatch(r"(?!proxima_|sqlx_)[a-z0-9]+(_[a-z0-9]+){3,}", name)
        if rust or re.match(r"(\S+\.(test\.(js|tsx?)|py): |fuzz: |\./test \w)", name):
            names.append(name)
    return names


def requirements(page: str) -> list[list[str]]:
    """Rows of the table of requirements: ids, state, how, test."""
    return [row for head, rows in tables(page) if head == ["id", "state", "how", "test"] for row in rows]


def tests_problems(page: str, known: frozenset[str]) -> list[str]:
    return [f"there is no test `{name}`" for name in named_tests(page) if name not in known]


def requirements_problems(page: str) -> list[str]:
    problems, answered, missing = [], [], []
    for row in requirements(page):
        if len(row) != 4:
            problems.append(f"{row[0]}: the row has {len(row)} cells")
            continue
        named, state, how, test = row
        ids = [name.strip() for name in named.split(",")]
        tests, reason = split_reason(test)
        answered += ids
        if len(ids) > 1 and state != "n/a":
            problems.append(f"{named}: only what is not applicable may share a row")
        if len(how.split()) < {"met": 1, "n/a": 2, "NOT MET": 8}.get(state, 0):
            problems.append(f"{named}: it does not say how, why or what is missing")
        if state == "met":
            if not quoted(tests) and len(reason.split()) < 4:
                problems.append(f"{named}: met, by what test or construction?")
        elif state == "NOT MET":
            missing += ids
        elif state != "n/a":
            problems.append(f"{named}: the state is `met`, `n/a` or `NOT MET`, not `{state}`")
    wanted = [line.split()[0] for line in IDS.splitlines()]
    problems += [f"{name} has no row" for name in wanted if name not in answered]
    problems += [f"{name} is no requirement" for name in answered if name not in wanted]
    problems += [f"{name} has several rows" for name in sorted(set(answered)) if answered.count(name) > 1]
    _, _, end = page.partition(f"\n## {NOT_MET}\n")
    listed = re.findall(r"\bV\d+\.\d+\.\d+\b", "\n".join(line.split("|")[1] for line in end.splitlines() if line.startswith("| V")))
    if sorted(listed) != sorted(missing):
        problems.append(f"the list at the end differs from the rows in {sorted(set(listed) ^ set(missing)) or 'what it repeats'}")
    return problems


def places_problems(name: str, page: str) -> list[str]:
    problems = links_problems(ROOT / "docs" / name, page)
    for path in quoted(page):
        if re.fullmatch(r"(crates|docs|e2e|fuzz|openapi|packaging|scripts|web)/[\w./-]+|[\w-]+\.(lock|toml)", path):
            built = path in ("web/dist", "config.toml")
            if not built and not (ROOT / path).exists():
                problems.append(f"there is no {path}")
    return problems


class SecurityPages(unittest.TestCase):
    def test_every_test_that_is_named_exists(self):
        for name, page in PAGES.items():
            self.assertEqual(tests_problems(page, known_tests()), [], name)
            self.assertGreater(len(named_tests(page)), 20, name)

    def test_every_requirement_has_one_answer(self):
        self.assertEqual(len(IDS.splitlines()), 253)  # 70 of level 1 and 183 of level 2
        self.assertEqual(requirements_problems(PAGES[TABLE]), [])

    def test_every_file_and_place_that_is_named_exists(self):
        for name, page in PAGES.items():
            self.assertEqual(places_problems(name, page), [], name)


class TheCheckItself(unittest.TestCase):
    """It sees what it is for."""

    def test_a_renamed_test_is_seen(self):
        for page in PAGES.values():
            names = sorted(set(named_tests(page)))
            for name in (names[0], names[len(names) // 2], names[-1]):
                self.assertEqual(set(tests_problems(page, known_tests() - {name})), {f"there is no test `{name}`"})
            self.assertEqual(len(set(tests_problems(page, frozenset()))), len(names))

    def test_tests_are_told_from_helpers(self):
        code = """
            #[sqlx::test(migrator = "a::MIGRATOR")]
            // Why.
            #[allow(clippy::too_many_lines)]
            async fn one(db: PgPool) {
            #[test]
            #[ignore = "slow"]
            fn two() {
            fn three() {
            // #[test]
            fn four() {
            /// Like #[test]
            fn five() {
        """
        found = [(name, "#[ignore" in attributes) for attributes, name in RUST_TEST.findall(code)]
        self.assertEqual(found, [("one", False), ("two", True)])
        code = "test('a', x);\n  it(\"it's\", x);\n// test('c', x);\ntest.skip('d', x);\n  await t.test('e', x);\n  ])('f', x);\n"
        self.assertEqual([title for _, title in NODE_TEST.findall(code)], ["a", "it's", "e", "f"])

    def test_a_requirement_that_is_left_out_doubled_or_unproven_is_seen(self):
        page = PAGES[TABLE]
        row = next(line for line in page.splitlines() if line.startswith("| V1.2.4 |"))
        met = [line for line in page.splitlines() if re.match(r"\| V[\d.]+ \| met ", line)]
        self.assertEqual(requirements_problems(page.replace(row + "\n", "")), ["V1.2.4 has no row"])
        self.assertEqual(requirements_problems(page.replace(row, f"{row}\n{row}")), ["V1.2.4 has several rows"])
        self.assertIn("V1.2.4", requirements_problems(page.replace(row, row.replace("| met |", "| NOT MET |")))[0])
        self.assertGreater(len(met), 100)
        bare = page
        for line in met:
            bare = bare.replace(line, line.rsplit("|", 2)[0] + "| – |")
        self.assertEqual(len([problem for problem in requirements_problems(bare) if "met, by what" in problem]), len(met))

    def test_a_link_or_file_that_leads_nowhere_is_seen(self):
        page = "[a](security.md#nowhere), [b](nothing.md), `crates/none.rs`, `deny.toml`\n"
        self.assertEqual(len(places_problems("security.md", page)), 3)


if __name__ == "__main__":
    unittest.main()
