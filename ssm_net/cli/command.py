"""The commands: ``ssm-net COMMAND``, and each verb as a script of its own."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

import ssm_net
from ssm_net.cli.composition import HYDRA, SCHEMAS, conf_folder
from ssm_net.cli.help import overview, unknown_keys, verb_help
from ssm_net.cli.run import print_error, print_interrupted, run_verb
from ssm_net.cli.sweep import failures
from ssm_net.cli.typed_values import quoted


def main() -> None:
    """``ssm-net COMMAND key=value ...``, ``ssm-net --help``, ``ssm-net --version``."""
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
    elif words[0] == "--version":
        print(f"ssm-net {ssm_net.__version__}")
    elif words[0] not in SCHEMAS:
        near = difflib.get_close_matches(words[0], SCHEMAS, 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        print(
            f"ssm-net: {words[0]} is no command.{hint} There are {', '.join(SCHEMAS)}; ssm-net --help", file=sys.stderr
        )
        sys.exit(2)
    else:
        _run(words[0], f"ssm-net {words[0]}", words[1:])


def command(verb: str) -> Callable[[], None]:
    """The main function of a script that does one verb: ``python COMMAND.py key=value ...``."""
    return lambda: _run(verb, f"python {verb}.py", sys.argv[1:])


def task(verb: str) -> Callable[[DictConfig], float | None]:
    """What Hydra runs for each point: the verb with the settings it is given; returns the objective of a sweep."""
    typed = list(sys.argv)

    def run(cfg: DictConfig) -> float | None:
        sys.argv = typed  # training on several devices repeats the command line that was typed
        return run_verb(getattr(ssm_net, verb), SCHEMAS[verb], cfg)

    return run


def _run(verb: str, program: str, words: Sequence[str]) -> None:
    """Run a verb under Hydra's own command line; exits with 1 where a point of a sweep failed, with 130 on Ctrl-C."""
    if {"-h", "--help"} & set(words):
        try:
            print(verb_help(verb, [w for w in quoted(words) if not w.startswith("-")], program))
        except HydraException as err:
            print_error(err)
            sys.exit(1)
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path may be no text
    code: int | str | None = 0
    under_hydra = hydra.main(version_base=HYDRA, config_path=str(conf_folder()), config_name=verb)(task(verb))
    with _command_line(program, quoted(words)):
        try:
            under_hydra()
        except SystemExit as end:  # Hydra has printed what is wrong
            code = end.code
            for remedy in unknown_keys(verb, words) if code else ():
                print_error(remedy)
        except KeyboardInterrupt:
            print_interrupted()
            code = 130
    if failed := failures():
        console = Console(stderr=True)
        console.print(f"[bold red]{len(failed)} point{'s' * (len(failed) > 1)} of the sweep failed:[/]")
        for point in failed:
            console.print(escape(f"  {' '.join(point.overrides)}: {point.error}"), highlight=False, soft_wrap=True)
        code = code or 1
    if code:
        sys.exit(code)


@contextmanager
def _command_line(program: str, words: Sequence[str]) -> Iterator[None]:
    """Hydra reads ``sys.argv`` itself and knows no verb."""
    typed = sys.argv
    sys.argv = [program, *words]
    try:
        yield
    finally:
        sys.argv = typed
