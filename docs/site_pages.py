"""Pages of the site that stand at the top of the repository: README, CONTRIBUTING and CHANGELOG, with their links."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}


def as_seen_from_docs(link: str) -> str | None:
    """The target of a link at the top of the repository as a page below docs/; None where the site has no such page."""
    path, mark, anchor = link.partition("#")
    if not path or "://" in link:
        return link
    if path in PAGES:
        return PAGES[path] + mark + anchor
    return path.removeprefix("docs/") + mark + anchor if path.startswith("docs/") else None


def page(text: str) -> str:
    """Markdown of the top folder for the site: links between pages follow, other files are named without a link."""

    def moved(match: re.Match[str]) -> str:
        target = as_seen_from_docs(match[2])
        return f"[{match[1]}]({target})" if target else match[1]

    return re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", moved, text)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for source, name in PAGES.items():
        files.append(File.generated(config, name, content=page((ROOT / source).read_text())))
    return files
