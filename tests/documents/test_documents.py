"""What the documents name is there: files, commands with their options, metrics."""

import re
import shlex
import tomllib
from itertools import takewhile
from pathlib import Path

import pytest

from bridge.cli.main import COMMANDS, main
from bridge.config import parse

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path.name if path.parent == ROOT else str(path.relative_to(ROOT)): path.read_text()
    for path in [*ROOT.glob("*.md"), ROOT / "tests" / "README.md"]
}
RULES = "deploy/prometheus/entropy-bridge.rules.yml"
ROOMS = ("bridge", "native", "tests", "benchmarks", "deploy", ".ci")

_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


def anchors(text):
    """Return what headings are called in links."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def commands(text):
    """Return the words of each command of ours that a document shows, in blocks and in lines."""
    shown = []
    for _, language, block in _BLOCK.findall(text):
        if language == "sh":
            shown += block.replace("\\\n", " ").splitlines()
    shown += _CODE.findall(_BLOCK.sub("", text))
    for line in shown:
        found = re.search(rf"(?:entropy-bridge )?\b((?:{'|'.join(COMMANDS)}) .*)", line)
        if found and (line.strip().startswith(("entropy-bridge", found[1]))):
            yield shlex.split(found[1].replace("\\|", "|"), comments=True)


def paths(words):
    """Return the command that words begin with; `hsm list|info` is two of them."""
    first, *rest = words
    actions = list(takewhile(lambda word: re.fullmatch(r"[a-z|]+", word), rest[:1]))
    return [[first, action] for action in actions[0].split("|")] if actions else [[first]]


@pytest.fixture(scope="module")
def helps():
    return {}


@pytest.fixture
def help_of(helps, capsys):
    """Gives the help of a command, None if there is no such command."""

    def ask(*words):
        if words not in helps:
            code = main([*words, "--help"])
            helps[words] = capsys.readouterr().out if code == 0 else None
        return helps[words]

    return ask


@pytest.fixture
def every_help(help_of):
    """The helps of all commands, and of their commands."""
    texts = []
    for name in COMMANDS:
        texts.append(help_of(name) or "")
        actions = re.search(rf"entropy-bridge {name} \[-h\] ([a-z|]+) \.\.\.", texts[-1])
        texts += [
            help_of(name, action) or "" for action in (actions[1].split("|") if actions else ())
        ]
    return "".join(texts)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    here = (ROOT / name).parent
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", DOCUMENTS[name]):
        path, _, anchor = target.partition("#")
        assert not path or (here / path).exists(), target
        assert not anchor or anchor in anchors((here / (path or Path(name).name)).read_text())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_are_there(name):
    for code in _CODE.findall(_BLOCK.sub("", DOCUMENTS[name])):
        path = code.split(" ")[0].rstrip("/")
        if path.startswith(tuple(f"{room}/" for room in ROOMS)) and re.fullmatch(r"[\w./-]+", path):
            assert (ROOT / path).exists(), code


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_options_are_there(name, help_of):
    for words in commands(DOCUMENTS[name]):
        for command in paths(words):
            text = help_of(*command)
            if text is None and len(command) == 2:  # the second word was an argument
                text = help_of(command[0])
            assert text is not None, words
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            missing = {option for option in options if not re.search(rf"{option}\b", text)}
            assert not missing, words


def test_the_first_configuration_is_one():
    [block] = [
        text for _, language, text in _BLOCK.findall(DOCUMENTS["README.md"]) if language == "toml"
    ]
    assert parse(block.encode()).hsm["luna"].token_label == "entropy"
    assert tomllib.loads(block)["status"]["listen"] == "127.0.0.1:9464"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_options_by_themselves_are_those_of_some_command(name, every_help):
    for code in _CODE.findall(_BLOCK.sub("", DOCUMENTS[name])):
        if re.match(r"--[a-z]", code):
            assert re.search(rf"{re.split('[ =]', code)[0]}\b", every_help), code


@pytest.mark.parametrize("name", [*DOCUMENTS, RULES])
def test_metrics_are_there(name):
    source = "".join(path.read_text() for path in (ROOT / "bridge" / "telemetry").glob("*.py"))
    for metric in re.findall(r"entropy_bridge_(\w+)", (ROOT / name).read_text()):
        assert f'{metric.removesuffix("_total")}"' in source, metric
