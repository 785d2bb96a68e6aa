"""What the documentation says exists: its tests, its configuration, its files."""

from __future__ import annotations

import re
import textwrap
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from workspace import Workspace

from chemnet.config import Schema, load_config
from chemnet.config.manager import PACKAGED_DEFAULTS
from chemnet.config.overrides import split_key
from chemnet.registry import VERBS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DEVELOPERS = {"dev", "docs", "all"}
FILE_ENDINGS = {"toml", "py", "png", "md", "h5", "html", "json", "jsonl", "db"}
PAGES = [page for page in PAGES if not {"generated", "_build"} & set(page.parts)]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def each_page(language: str) -> list[Path]:
    """The pages that hold such blocks."""
    return [page for page in PAGES if blocks(page, language)]


def by_path(page: Path) -> str:
    """A page's path in the project, to name its test."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(("page", "least"), [("promises.md", 25), ("security.md", 12)])
def test_every_promise_names_tests_that_exist(page: str, least: int) -> None:
    text = (ROOT / "docs" / "explanation" / page).read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > least
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    assert not missing


def test_every_place_in_the_house_is_there() -> None:
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    files = re.findall(r"^\| .+ \| `([\w/]+\.\w+)` \|$", text, re.MULTILINE)
    assert len(files) >= 25
    assert [file for file in files if not (ROOT / "src" / "chemnet" / file).is_file()] == []


@pytest.mark.parametrize("page", each_page("bash"), ids=by_path)
def test_every_command_names_a_verb_and_keys_that_exist(page: Path) -> None:
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    for command in re.findall(
        r"^(?:\.venv/bin/)?chemnet (.*)", "\n".join(blocks(page, "bash")), re.MULTILINE
    ):
        verb, *words = command.split("#")[0].split()
        assert verb in VERBS or verb.startswith("-"), command
        for word in words:
            match = re.match(r"['\"]?([a-z_]+(?:\.\w+)+)=", word)
            if match:
                assert split_key(match.group(1)) in schema.keys, command


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_every_key_and_verb_in_a_sentence_exists(page: Path) -> None:
    schema = Schema()
    schema.add_file(PACKAGED_DEFAULTS)
    tables = {key[0] for key in schema.keys} - {"model", "surrogate"}  # the latter also names a variable
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for quoted in re.findall(r"`([^`\n]+)`", text):
        verb = re.fullmatch(r"chemnet ([a-z_]+)(?: .*)?", quoted)
        assert not verb or verb[1] in VERBS, quoted
        for key in re.findall(r"(?<![\w./-])([a-z_]+(?:\.[a-z_]+)+)(?= ?=|$)", quoted):
            table, *rest = split_key(key)
            if table in tables and rest[-1] not in FILE_ENDINGS:
                assert tuple(split_key(key)) in schema.keys, quoted


@pytest.mark.parametrize("page", each_page("toml"), ids=by_path)
def test_every_configuration_loads(page: Path, tmp_path: Path) -> None:
    (tmp_path / "common.toml").write_text("", encoding="utf-8")
    for number, text in enumerate(blocks(page, "toml")):
        path = tmp_path / f"{number}.toml"
        path.write_text(text, encoding="utf-8")
        assert load_config([path]).chosen, text


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists() and "generated/" not in link]
    assert not missing


def test_the_readme_begins_with_the_two_commands() -> None:
    commands = blocks(ROOT / "README.md", "bash")[:2]
    assert commands == [
        "bash .setup_dev.sh && .venv/bin/chemnet demo\n",
        "bash .setup_dev.sh && .venv/bin/python -m pytest\n",
    ]


def indented_block(page: Path, language: str) -> str:
    """The first code block of a page that stands inside a list."""
    found = re.search(
        rf"^( +)```{language}\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found
    return textwrap.dedent(found.group(2))


def test_the_first_change_of_contributing_trains(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = workspace.folder / "first_change"
    package.mkdir()
    (package / "__init__.py").write_text(indented_block(ROOT / "CONTRIBUTING.md", "python"), encoding="utf-8")
    keys = indented_block(ROOT / "CONTRIBUTING.md", "toml")
    (package / "default_config.toml").write_text(keys, encoding="utf-8")
    monkeypatch.syspath_prepend(workspace.folder)
    workspace.result("preprocess")
    trained = workspace.run("train", "model.name=first_change.LinearAutoencoder", "train.epochs=1")
    assert trained.code == 0, trained.err
    # 12 species, 14 latents: two matrices and their biases
    assert trained.answer["summary"]["parameters"] == 2 * 12 * 14 + 12 + 14


def test_every_dependency_is_explained_and_its_tested_version_is_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        one
        for name, some in project["optional-dependencies"].items()
        for one in some
        if name not in DEVELOPERS
    ]
    needed = [Requirement(one) for one in (*project["dependencies"], *extras)]
    page = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").lower().splitlines()
    tested = dict(line.split("==") for line in lines if "==" in line)
    for one in needed:
        assert f"| {one.name} |" in page, one
        assert one.specifier.contains(tested[one.name.lower()]), one


def test_the_citation_and_the_changelog_name_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_build_finds_links_that_lead_nowhere_and_what_other_sites_would_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    import links

    there, here = tmp_path / "there.html", tmp_path / "here.html"
    there.write_text('<h1 id="top">There</h1>')
    here.write_text(
        '<a href="there.html#top">good</a> <a href="https://example.org">elsewhere</a> <a href="#">up</a>'
        '<a href="gone.html">gone</a> <a href="there.html#bottom">no such place</a>'
        '<script src="https://cdn.example.org/mathjax.js"></script>'
    )
    pages = {path: links.read(path) for path in (here, there)}
    assert links.faults(there, pages) == []
    assert links.faults(here, pages) == [
        "loads https://cdn.example.org/mathjax.js",
        "gone.html leads to no page",
        "there.html#bottom leads to no place on its page",
    ]
