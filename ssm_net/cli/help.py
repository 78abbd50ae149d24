"""What ``--help`` prints: the verbs, and of a verb its keys, their values now, the groups and their options.

Texts are the docstrings of the settings (``ssm_net.config``) and the first comment of a group's files.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from ssm_net.cli.composition import HYDRA, SCHEMAS, composed, conf_folder
from ssm_net.version import __version__

WIDTH = 118
OPTION_GROUPS = ("domain", "engine", "model", "trainer")


def overview() -> str:
    """The verbs, a line each."""
    lines = [
        f"  {verb:9s} {inspect.cleandoc(schema.__doc__ or '').splitlines()[0]}" for verb, schema in SCHEMAS.items()
    ]
    return "\n".join([
        f"ssm_net {__version__}: daily 1 km maps of soil moisture from microwaves, MODIS, VIIRS and rain",
        "", "  ssm-net COMMAND key=value ...", "", *lines, "",
        "ssm-net COMMAND --help explains the keys of a command; plan=true (not of produce) prints what it would do.",
        "Files of conf/ in the working folder are found before those that come with ssm_net.",
    ])  # fmt: skip


def verb_help(verb: str, overrides: Sequence[str] = (), program: str = "") -> str:
    """The help of a verb; values are those that ``overrides`` give. Raises Hydra's errors where they do not compose."""
    cfg = composed(verb, overrides)
    about = inspect.cleandoc(SCHEMAS[verb].__doc__ or "")
    if program.startswith("python"):
        about = re.sub(r"^    ssm-net (\w+)", r"    python \1.py", about, flags=re.M)
    keys = [
        (key, f"{text} [{_value(cfg, key)}]" if leaf else f"{text}:") for key, text, leaf in _keys(SCHEMAS[verb], "")
    ]
    options = list(_options(verb))
    groups = ["Groups, files of conf/ that set several keys:", *_columns(options), ""] if options else []
    return "\n".join([
        about, "", "Keys [value now]:", *_columns(keys), "", *groups,
        "Hydra's own flags come after the command: -m sweeps over values (key=1,2), --cfg job prints the settings,",
        f"-cd FOLDER adds configuration files; {program or verb} --hydra-help lists all.",
    ])  # fmt: skip


def unknown_keys(verb: str, words: Sequence[str]) -> Iterator[str]:
    """A remedy for each key of a command line that the verb does not have."""
    known = [key for key, _, _ in _keys(SCHEMAS[verb], "")] + ["experiment"]
    for word in words:
        key, equals, _ = word.partition("=")
        if equals and key not in known and not key.startswith(("-", "+", "~", "hydra")):
            near = difflib.get_close_matches(key, known, 1)
            yield f"{key} is no key of {verb}" + (f": did you mean {near[0]}=...?" if near else "; see --help")


def documentation(schema: type[Any]) -> dict[str, str]:
    """The docstring below each key of a schema."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(schema))).body
    assert isinstance(body, ast.ClassDef)
    texts: dict[str, str] = {}
    for key, text in zip(body.body, body.body[1:], strict=False):
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name) and isinstance(text, ast.Expr):
            assert isinstance(text.value, ast.Constant)
            texts[key.target.id] = " ".join(str(text.value.value).split())
    return texts


def _keys(schema: type[Any], prefix: str) -> Iterator[tuple[str, str, bool]]:
    """Each key, its text, and whether it has a value of its own (or keys below it)."""
    texts, types = documentation(schema), get_type_hints(schema)
    for field in fields(schema):
        below = types[field.name] if is_dataclass(types[field.name]) else None
        yield prefix + field.name, texts[field.name], below is None
        if isinstance(below, type):
            yield from _keys(below, f"{prefix}{field.name}.")


def _value(cfg: DictConfig, key: str) -> str:
    if OmegaConf.is_missing(OmegaConf.select(cfg, key.rpartition(".")[0]) if "." in key else cfg, key.split(".")[-1]):
        return "needed"
    value = OmegaConf.select(cfg, key)
    if OmegaConf.is_list(value):
        return f"[{','.join(str(v) for v in value)}]"
    return {"None": "null", "True": "true", "False": "false", "": "''"}.get(str(value), str(value))


def _options(verb: str) -> Iterator[tuple[str, str]]:
    """``group=option`` and its comment, for the groups that the verb knows; of the experiments those that fit it."""
    known = {field.name for field in fields(SCHEMAS[verb])}
    groups = [*(g for g in OPTION_GROUPS if g in known), "experiment"]
    with initialize_config_dir(str(conf_folder()), version_base=HYDRA):
        loader = GlobalHydra.instance().config_loader()
        options = [(group, option) for group in groups for option in loader.get_group_options(group)]
    for group, option in options:
        if group != "experiment" or _composes(verb, f"experiment={option}"):
            yield f"{group}={option}", _comment(group, option)


def _composes(verb: str, override: str) -> bool:
    try:
        composed(verb, [override])
    except HydraException:
        return False
    return True


def _comment(group: str, option: str) -> str:
    """The comment at the top of an option's file."""
    for folder in (Path.cwd() / "conf", conf_folder()):
        file = folder / group / f"{option}.yaml"
        if file.is_file():
            lines = [line for line in file.read_text().splitlines() if not line.startswith("# @package")]
            head = lines[: next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))]
            return " ".join(line.lstrip("# ").strip() for line in head)
    return ""


def _columns(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0) + 4
    lines = []
    for name, text in rows:
        lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {name}".ljust(width), subsequent_indent=" " * width,
                               break_long_words=False, break_on_hyphens=False) or [f"  {name}"]  # fmt: skip
    return lines
