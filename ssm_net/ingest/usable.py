"""Those of some granules that can be read: one that cannot costs itself, whatever its reader raises over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from ssm_net.errors import SsmNetError
from ssm_net.ingest.catalog import Granule
from ssm_net.ingest.checksums import check_sums
from ssm_net.ingest.raster import GranuleError, may_be_of_a_file

T = TypeVar("T")


def read_those_that_can(
    granules: Sequence[Granule], read: Callable[[Sequence[Granule]], T]
) -> tuple[T | None, list[Granule], list[GranuleError]]:
    """``read`` of the granules that can be read, None where there are none; these granules; and an error for each of
    the others. In the place of one that cannot be read stands the version before it, where there is one.

    A file is left out where its catalogue states another checksum, and where ``read`` raises anything over it that is
    no fault of the machine (memory, disk) or of the installation.
    """
    usable, bad = list(granules), list[GranuleError]()
    while usable:
        try:
            for granule in usable:
                check_sums(granule.path)
            return read(usable), usable, bad
        except Exception as err:
            found = errors_of_files(usable, read, err)
            bad += found
            paths = {e.path for e in found}
            usable = [one for g in usable for one in (_older(g) if g.path in paths else [g])]
    return None, [], bad


def _older(granule: Granule) -> list[Granule]:
    """The version of a file before it, if there is one."""
    return [replace(granule, path=granule.older[0], older=granule.older[1:])] if granule.older else []


def errors_of_files(
    usable: Sequence[Granule], read: Callable[[Sequence[Granule]], object], err: Exception
) -> list[GranuleError]:
    """Which of the files are behind ``err``, as errors that name them. Raises ``err`` where it is about none."""
    if isinstance(err, GranuleError) and any(g.path == err.path for g in usable):
        return [err]
    if not may_be_of_a_file(err):
        raise err
    by_path = {g.path: [h for h in usable if h.path == g.path] for g in usable}
    found = list[GranuleError]()
    for path, of_file in by_path.items():
        try:
            read(of_file)
        except Exception as own:
            if not may_be_of_a_file(own):
                raise
            about_it = isinstance(own, GranuleError) and own.path == path
            found.append(own if isinstance(own, GranuleError) and about_it else _named(own, of_file[0]))
    return found or [_named(err, of_file[0]) for of_file in by_path.values()]


def _named(err: Exception, granule: Granule) -> GranuleError:
    """What a reader raised, with the file."""
    what = str(err) if isinstance(err, SsmNetError) else f"it cannot be read ({type(err).__name__}: {err})"
    return GranuleError(granule.path, what, day=granule.day)
