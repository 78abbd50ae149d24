"""ISMN station files in all their layouts."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from ssm_net.stations.ismn import StationError, read_stations

HEAD = "NET        NET             {name}      33.88330   102.13330 3431.00    {top}    {bottom} ECH20 EC-TM"
ROWS = [
    "2016/06/07 00:00   0.2100 G M",
    "2016/06/07 01:00   0.2200 D01,D03 M",
    "2016/06/07 02:00   0.2300 G M",
    "2016/06/07 02:00   0.9900 G M",
    "2016/06/07 03:00 -9999.0000 M M",
]


def stm(folder, name="STA_1", var="sm", top="0.00", bottom="0.05", newline="\n", rows=ROWS):
    path = folder / "NET" / name / f"NET_NET_{name}_{var}_{top}0000_{bottom}0000_ECH20-EC-TM_20160607_20160608.stm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(newline.join([HEAD.format(name=name, top=top, bottom=bottom), *rows, ""]).encode())
    return path


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_header_values_with_an_underscore_in_the_name(tmp_path, newline):
    stm(tmp_path, newline=newline)
    stm(tmp_path, var="ts")
    stm(tmp_path, top="0.20", bottom="0.20")
    (station,) = read_stations(tmp_path)
    assert (station.network, station.name, station.lat, station.lon) == ("NET", "STA_1", 33.8833, 102.1333)
    assert (station.depth_from, station.depth_to, station.sensor) == (0.0, 0.05, "ECH20 EC-TM")
    assert station.time.tolist() == [t.item() for t in np.array(["2016-06-07T00:00", "2016-06-07T02:00"], "M8[s]")]
    np.testing.assert_allclose(station.value, [0.21, 0.23])


def test_name_with_a_blank_and_several_sensors(tmp_path):
    stm(tmp_path, name="Big Creek")
    stm(tmp_path, name="Big Creek", top="0.05", bottom="0.05")
    assert [(s.name, s.depth_from) for s in read_stations(tmp_path)] == [("Big Creek", 0.0), ("Big Creek", 0.05)]


def test_ceop_layout(tmp_path):
    path = tmp_path / "NET_NET_STA_1_sm_0.050000_0.050000_ECH20_20160607_20160608.stm"
    row = "2016/06/07 {h}:00 2016/06/07 {h}:00 NET NET STA_1 33.88330 102.13330 3431.00 0.05 0.05 0.2{h} {flag} M"
    path.write_text("\n".join(row.format(h=h, flag=f) for h, f in (("00", "G"), ("01", "D03"), ("02", "G"))))
    (station,) = read_stations(path)
    assert (station.name, station.lat, station.depth_to, station.sensor) == ("STA_1", 33.8833, 0.05, "ECH20")
    np.testing.assert_allclose(station.value, [0.20, 0.202])


def test_zip_and_tree_give_the_same(tmp_path):
    path = stm(tmp_path / "tree")
    with zipfile.ZipFile(tmp_path / "Data.zip", "w") as archive:
        archive.write(path, path.relative_to(tmp_path / "tree"))
        archive.writestr("Metadata.xml", "<x/>")
    (one,), (two,) = read_stations(tmp_path / "tree"), read_stations(tmp_path / "Data.zip")
    assert one.name == two.name and np.array_equal(one.time, two.time) and np.array_equal(one.value, two.value)
    assert not list((tmp_path / "tree").rglob("python_metadata*"))


def test_nonsense_is_skipped_by_name(tmp_path, caplog):
    stm(tmp_path)
    stm(tmp_path, name="NOISE").write_bytes(bytes(range(256)) * 20)
    stm(tmp_path, name="WORDS", rows=["this is", "not a series", "at all"])
    stm(tmp_path, name="LETTERS", rows=["2016/06/07 00:00 wet G M"])
    stm(tmp_path, name="CUT", rows=["2016/06/07 00:00 0.2 G M", "2016/06"])
    stm(tmp_path, name="EMPTY").write_bytes(b"")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 cut")
    names = [s.name for s in read_stations(tmp_path)]
    assert names == ["CUT", "STA_1"]  # what is whole of a series that is cut short counts
    for word in ("NOISE", "WORDS", "LETTERS", "EMPTY", "broken.zip"):
        assert word in caplog.text
    assert "download" in caplog.text


def test_nothing_read_is_an_error_that_says_why(tmp_path):
    stm(tmp_path, top="0.20", bottom="0.20")
    stm(tmp_path, name="B", rows=["2016/06/07 00:00 0.2 D03 M"])
    stm(tmp_path, var="ta")
    with pytest.raises(StationError, match=r"3 files.*1 of other variables, 1 too deep, 1 without a good value"):
        read_stations(tmp_path)
    with pytest.raises(StationError, match="does not exist"):
        read_stations(tmp_path / "none")


@pytest.mark.real
def test_real_maqu_holds_no_good_flag(real_dir, caplog):
    with pytest.raises(StationError, match="2 without a good value"):
        read_stations(real_dir / "ismn" / "MAQU")
    assert "9407 U" in caplog.text
    found = read_stations(real_dir / "ismn" / "MAQU", flags=("G", "U"))
    assert [(s.name, s.value.size) for s in found] == [("CST_01", 9407), ("CST_02", 9801)]
    assert found[0].lat == 33.8833 and found[0].depth_to == 0.05


@pytest.mark.real
def test_real_zip(real_dir):
    path = next((real_dir / "ismn").glob("*.zip"))
    with pytest.raises(StationError, match="2 too deep"):
        read_stations(path)
    found = read_stations(path, deepest=0.25)
    assert [s.name for s in found] == ["ARM-1", "Barrow-ARM"]
    assert found[0].time[0] == np.datetime64("2017-08-10T00:00") and found[0].value[0] == np.float32(0.141)


@pytest.mark.real
def test_real_series_are_those_of_the_ismn_package(real_dir, tmp_path):
    from ismn.interface import ISMN_Interface

    path = next((real_dir / "ismn").glob("*.zip"))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)  # the package writes its index beside what it reads
    referee = ISMN_Interface(tmp_path, parallel=False)
    series = [referee.read(i) for i in referee.get_dataset_ids("soil_moisture", 0, 0.25)]
    ours = read_stations(path, deepest=0.25)
    assert len(series) == len(ours) == 2
    for table, station in zip(series, ours, strict=True):
        good = table[table["soil_moisture_flag"] == "G"]
        np.testing.assert_array_equal(good.index.values.astype("datetime64[s]"), station.time)
        np.testing.assert_allclose(good["soil_moisture"].to_numpy(), station.value, atol=1e-6)


NAMES = ["WS_3", "CATCH_P_12", "TS_1", "sd_2_sm", "SM_1", "12", "P_1.5", "P_1.5_2.5", "St.3", "A_rh_0.5_ws", "rh_7-b"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_a_variable(tmp_path, name):
    """I5: stations called WS_3 or CATCH_P_12 were taken for series of wind speed and rain."""
    stm(tmp_path, name=name)
    stm(tmp_path, name=name, var="ts")
    (station,) = read_stations(tmp_path)
    assert (station.name, station.depth_to, station.lat) == (name, 0.05, 33.8833)
    with pytest.raises(StationError, match="1 of other variables"):
        read_stations(stm(tmp_path, name=name, var="ws"))


@pytest.mark.parametrize("name", ["Plot 12.5", "Hill 3 7.25", "1.5"])
def test_a_name_that_ends_with_a_number(tmp_path, name):
    path = stm(tmp_path, name=name)
    (station,) = read_stations(path)
    assert (station.name, station.lat, station.lon) == (name, 33.8833, 102.1333)


@pytest.mark.parametrize("name", ["WS_3", "CATCH_P_12", "Plot 12.5"])
def test_a_name_that_looks_like_a_variable_in_ceop(tmp_path, name):
    path = tmp_path / f"NET_NET_{name}_sm_0.050000_0.050000_ECH20_20160607_20160608.stm"
    row = f"2016/06/07 {{h}}:00 2016/06/07 {{h}}:00 NET NET {name} 33.88330 102.13330 3431.00 0.05 0.05 0.2{{h}} G M"
    path.write_text("\n".join(row.format(h=h) for h in ("00", "01")))
    (station,) = read_stations(tmp_path)
    assert (station.name, station.lat, station.sensor, station.value.size) == (name, 33.8833, "ECH20", 2)
