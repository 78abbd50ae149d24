"""What the compliance checker finds in a file, and its known faults."""

from __future__ import annotations

from pathlib import Path

from compliance_checker.runner import CheckSuite

# The checker takes a required attribute of this projection, one word, for a list of letters.
CF_FAULT = {f"{c} is a required attribute for grid mapping lambert_cylindrical_equal_area"
            for name in ("longitude_of_central_meridian", "longitude_of_projection_origin") for c in name}  # fmt: skip
# It looks for depth as a coordinate; a map of one layer has none.
NO_AXIS = ("Could not find vertical variable to test extent of geospatial_vertical_min/geospatial_vertical_max, see "
           "CF-1.6 spec chapter 4.3")  # fmt: skip


def remarks(path: Path, test: str) -> dict[str, list[str]]:
    """What is missing for ``test`` (``cf:1.11`` or ``acdd:1.3``), by the name of the check."""
    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    results = suite.run_all(suite.load_dataset(str(path)), [test])[test][0]
    assert len(results) >= 20
    missed = [r for r in results if r.value is not True and (not isinstance(r.value, tuple) or r.value[0] < r.value[1])]
    return {str(result.name).strip(): list(result.msgs) for result in missed}
