"""A folder of mosaics is the record of one model, whatever starts at the same time or is cut off."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import road
from worlds import FIRST, tiny_cube

from ssm_net.cube.store import Cube
from ssm_net.formats.mosaic_days import days_done
from ssm_net.infer.plan import InferenceError
from ssm_net.infer.provenance import check_provenance
from ssm_net.infer.run import infer

ONE, OTHER = ({"model": name, "checkpoint": "none", "update": "gain", "domain": "tiny"} for name in ("one", "other"))


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Cube:
    return tiny_cube(tmp_path_factory.mktemp("w") / "c.zarr", cells=(4, 4), days=3)


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_overwriting_a_part_with_another_model_is_refused(cube: Cube, tmp_path: Path, format: str) -> None:
    """Three days of two methods under the name of one would be no record."""
    infer(road.inference(cube.path, tmp_path, format=format))
    before = road.stamps(tmp_path)
    one_day = {"start": str(cube.days[2]), "end": str(cube.days[2])}
    with pytest.raises(InferenceError, match=r"model=dispatch \(there: bilinear\).*2016-04-15 \.\. 2016-04-16 .*stay"):
        infer(road.inference(cube.path, tmp_path, format=format, method="dispatch", overwrite=True, **one_day))
    assert road.stamps(tmp_path) == before
    made = infer(road.inference(cube.path, tmp_path, format=format, overwrite=True, **one_day))
    assert made == [cube.days[2]]  # the same model may make a part again


@pytest.mark.parametrize(("first", "second"), [(ONE, ONE | {"usual_ssm": 0.2}), (ONE | {"usual_ssm": 0.2}, ONE)])
def test_what_only_one_of_two_models_states_tells_them_apart(tmp_path: Path, first: dict, second: dict) -> None:
    """The same networks make other maps where they are told another level."""
    with check_provenance(tmp_path, first, overwrite=False, todo=[], format="netcdf"):
        pass
    with (
        pytest.raises(InferenceError, match=r"usual_ssm="),
        check_provenance(tmp_path, second, overwrite=False, todo=[], format="netcdf"),
    ):
        pass


def test_maps_in_another_format_are_a_part_too(cube: Cube, tmp_path: Path) -> None:
    infer(road.inference(cube.path, tmp_path, format="cog"))
    infer(road.inference(cube.path, tmp_path))
    with pytest.raises(InferenceError, match=r"\(cog\) would stay"):
        infer(road.inference(cube.path, tmp_path, method="dispatch", overwrite=True))


@pytest.mark.parametrize("format", ["netcdf", "zarr"])
def test_a_takeover_that_is_cut_off_leaves_days_of_one_model(
    cube: Cube, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ssm_net.infer.writer import DayWriter

    infer(road.inference(cube.path, tmp_path, format=format, quicklook=True))
    write, calls = DayWriter.write, []

    def cut_off(*args):  # type: ignore[no-untyped-def]
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return write(*args)

    other = road.inference(cube.path, tmp_path, format=format, quicklook=True, method="dispatch")
    with monkeypatch.context() as patch:
        patch.setattr(DayWriter, "write", cut_off)
        with pytest.raises(KeyboardInterrupt):
            infer(replace(other, overwrite=True))
    assert days_done(tmp_path, "tiny", format) == [FIRST]
    assert infer(other) == list(cube.days[1:])


def test_of_two_models_that_start_at_one_instant_one_is_refused(tmp_path: Path) -> None:
    for n in range(20):
        folder, start, finish = tmp_path / str(n), threading.Barrier(2, timeout=20), threading.Barrier(2, timeout=20)
        outcomes: list[str] = []

        def run(
            provenance: dict, folder: Path = folder, start: threading.Barrier = start,
            finish: threading.Barrier = finish, outcomes: list[str] = outcomes,
        ) -> None:  # fmt: skip
            start.wait()
            try:
                with check_provenance(folder, provenance, overwrite=False, todo=[FIRST], format="netcdf"):
                    outcomes.append(provenance["model"])
                    finish.wait()
            except InferenceError:
                outcomes.append("refused")
                finish.wait()

        both = [threading.Thread(target=run, args=(provenance,)) for provenance in (ONE, OTHER)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
        assert len(set(outcomes)) == 2 and "refused" in outcomes
        assert json.loads((folder / "made_by.json").read_text())["model"] in outcomes


def test_runs_of_one_model_share_a_folder_and_another_waits_for_them(tmp_path: Path) -> None:
    both_in = threading.Barrier(2, timeout=20)

    def run() -> None:
        with check_provenance(tmp_path, ONE, overwrite=True, todo=[FIRST], format="netcdf"):
            both_in.wait()

    second = threading.Thread(target=run)
    second.start()
    with check_provenance(tmp_path, ONE, overwrite=False, todo=[FIRST], format="netcdf"):
        both_in.wait()
        with (
            pytest.raises(InferenceError, match="another run is writing into it"),
            check_provenance(tmp_path, OTHER, overwrite=True, todo=[FIRST], format="netcdf"),
        ):
            raise AssertionError("two models at once")
    second.join()
    with check_provenance(tmp_path, OTHER, overwrite=True, todo=[FIRST], format="netcdf"):
        pass


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": '])
def test_a_damaged_record_is_named_with_what_to_do(cube: Cube, tmp_path: Path, content: str) -> None:
    infer(road.inference(cube.path, tmp_path, end=str(FIRST)))
    (tmp_path / "made_by.json").write_text(content)
    with pytest.raises(InferenceError, match=r"made_by\.json is damaged .*delete it"):
        infer(road.inference(cube.path, tmp_path))
    (tmp_path / "made_by.json").unlink()
    assert len(infer(road.inference(cube.path, tmp_path))) == 2
