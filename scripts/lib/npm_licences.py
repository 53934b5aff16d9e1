"""What a package-lock.json installs for production: one line a package, its name, version and licence.

Usage: npm_licences.py PACKAGE-LOCK
Fails when a package names no licence: then nobody has looked at it.
"""

import json
import sys


def lines(lock: dict) -> list[str]:
    """The packages that a build without development dependencies has, sorted, each once."""
    found, unnamed = set(), []
    for path, package in lock["packages"].items():
        name = package.get("name") or path.rpartition("node_modules/")[2]
        if path == "" or package.get("dev") or package.get("link"):
            continue
        if not package.get("license"):
            unnamed.append(f"{name} {package.get('version')}")
            continue
        found.add(f"{name} v{package['version']}  {package['license']}")
    if unnamed:
        raise ValueError(f"no licence is named by {', '.join(sorted(unnamed))}")
    return sorted(found)


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        lock = json.load(file)
    if lock.get("lockfileVersion") not in (2, 3):
        sys.exit(f"{sys.argv[1]}: version {lock.get('lockfileVersion')} of the format is not known")
    try:
        print("\n".join(lines(lock)))
    except ValueError as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
