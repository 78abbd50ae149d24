# %% [markdown]
# # A first map
#
# A passive microwave radiometer measures the water in the top five centimetres of soil through any cloud, nearly every
# day, but as one number for 36 x 36 km: the irrigated plain, the dry ridge and everything between them. MODIS resolves
# a kilometre, but it sees how warm and how green the land is, not how wet, and nothing at all under cloud. `ssm_net`
# puts the two together. In the next minute we go from a folder of satellite granules to daily maps of soil moisture at
# 1 km, look at one cloudy day, and follow one pixel through a fortnight.
#
# There is one trick that only a simulation can play: it knows the answer. The world below is invented, but its granules
# are written in the archives' own file formats, and from the second step on nothing knows that they are not real. To
# work with your own granules, start at step 2 with your own `raw` folder.
#
# *This notebook is made from `first_map.py` by `python examples/make_notebook.py examples/first_map.py`.*

# %%
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import ssm_net

warnings.filterwarnings("ignore", 'install "ipywidgets"')  # only progress bars in a notebook need it
plt.rcParams["figure.dpi"] = 80
work = Path("first_map")  # everything below is written here; a second run finds it and repeats nothing
start, end = "2016-05-01", "2016-05-14"
domain = ssm_net.DomainConfig(name="bend", bbox=[108.4, 40.2, 109.7, 41.5])  # degrees; it grows to whole cells

# %% [markdown]
# ## 1. A world to look at
#
# Rain falls, soil dries, fields are irrigated, clouds drift by, and satellites pass over all of it. `simulate` writes
# what they would have delivered: the 36 km retrievals of AMSR2, land surface temperature (MYD11A1) and reflectance
# (MCD43A4) of MODIS, rain, and maps of terrain and soil. The truth goes into a store of its own, for later.

# %%
raw = ssm_net.simulate(ssm_net.SimulateConfig(raw=str(work / "raw"), start=start, end=end, domain=domain, seed=4))
print(*sorted(path.name for path in raw.iterdir()), sep="  ")

# %% [markdown]
# ## 2. One grid
#
# `prepare` reads the granules, puts them on one 1 km grid nested 36 to 1 in the grid of the radiometer, fills the gaps
# that clouds leave in land surface temperature, and remembers for each pixel how warm it was under recent clear skies:
# dry soil heats up by day, wet soil does not, and that memory outlasts the cloud.

# %%
ssm_net.prepare(ssm_net.PrepareConfig(raw=str(raw), cube=str(work / "cube.zarr"), start=start, end=end, domain=domain))
cube = ssm_net.open_cube(work / "cube.zarr")
rows, columns = cube.domain.fine_shape
print(f"{len(cube.days)} days of {rows} x {columns} pixels over {rows // 36} x {columns // 36} radiometer cells")

# %% [markdown]
# ## 3. Networks that adapt to the place
#
# Nobody has soil moisture at 1 km to learn from. The networks that come with `ssm_net` learned in simulated worlds how
# moisture varies inside a radiometer cell; `train` keeps all of that except the last layer, which it fits to the
# observations of this place: averaged over the footprint of the radiometer, the map must agree with what was measured,
# in cells whose own measurement the network was not shown. Then `infer` writes one map a day. We make maps by bilinear
# interpolation of the 36 km values as well, for comparison: whatever the networks add must show against them.

# %%
run = str(work / "run")
ssm_net.train(ssm_net.TrainConfig(cube=str(cube.path), run=run))
days = ssm_net.infer(ssm_net.InferConfig(cube=str(cube.path), run=run, mosaics=str(work / "mosaics")))
days = ssm_net.infer(ssm_net.InferConfig(cube=str(cube.path), method="bilinear", mosaics=str(work / "bilinear")))

# %% [markdown]
# ## 4. A map
#
# `open_mosaics` opens all days of a folder as one `xarray.Dataset`. It reads nothing yet: pixels come from the files
# when they are used, so that the same line opens two decades of a country.

# %%
maps = ssm_net.open_mosaics(work / "mosaics")
print(maps)

# %% [markdown]
# Every pixel of every day says where it comes from. We pick the cloudiest day on which the radiometer saw at least
# nine cells in ten, and put what it measured, the map, its standard error and the truth side by side.

# %%
flag = dict(zip(maps.flags.flag_meanings.split(), maps.flags.flag_masks, strict=True))
land = maps.ssm.notnull()
clear = ((maps.flags & flag["lst_seen"]) > 0).where(land).mean(["y", "x"])
observed = ((maps.flags & flag["coarse_observed"]) > 0).where(land).mean(["y", "x"])
day = clear.where(observed >= 0.9).idxmin("time").dt.date.item()
print(f"{day}: {1 - clear.sel(time=str(day)).item():.0%} of the land under cloud")

today, truth_store = maps.sel(time=str(day)), xr.open_zarr(raw / "truth.zarr", consolidated=False, chunks=None)
truth = truth_store.ssm.assign_coords(lat=maps.lat, lon=maps.lon).where(land)
coarse = maps.ssm.copy(data=[np.kron(cube.read_coarse("ssm", d), np.ones((36, 36))) for d in cube.days])

soil = {"cmap": "YlGnBu", "vmin": 0, "vmax": 0.35}
panels = {
    "radiometer, 36 km": (coarse.sel(time=str(day)), soil),
    "ssm_net, 1 km": (today.ssm, soil),
    "truth, 1 km": (truth.sel(time=str(day)), soil),
    "standard error": (today.ssm_uncertainty, {"cmap": "magma_r", "vmin": 0}),
}
figure, axes = plt.subplots(1, 4, figsize=(11.5, 3), layout="constrained", sharey=True)
for ax, (title, (field, style)) in zip(axes, panels.items(), strict=True):
    image = field.plot(ax=ax, x="lon", y="lat", add_colorbar=False, rasterized=True, **style)
    ax.set(title=title, xlabel="longitude", ylabel="", aspect=1.3)
    if title.startswith(("truth", "standard")):  # the first three share a scale
        figure.colorbar(image, ax=ax, label="m$^3$ m$^{-3}$", shrink=0.8)
axes[0].set_ylabel("latitude")
figure.savefig(work / "map.png")

# %% [markdown]
# The white patches are lakes. The blocks of the first panel become land in the second: what they cannot know, the map
# takes from temperature, greenness, rain and terrain.
#
# ## 5. A pixel through time
#
# Choose any place by its coordinates. Reading one pixel touches one small piece of each day's file.

# %%
place = {"lat": 40.7, "lon": 109.1}
pixel = maps.sel(place, method="nearest")
known, cell = truth.sel(x=pixel.x, y=pixel.y, method="nearest"), coarse.sel(place, method="nearest")

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
low, high = (pixel.ssm + sign * 1.645 * pixel.ssm_uncertainty for sign in (-1, 1))
ax.fill_between(pixel.time, low, high, color="C0", alpha=0.2, lw=0, label="90 % interval")
ax.plot(pixel.time, pixel.ssm, "C0o-", ms=4, label="ssm_net, 1 km")
ax.plot(pixel.time, known, "k--", label="truth, 1 km")
ax.plot(pixel.time, cell, "C1s", ms=7, mfc="none", label="radiometer, 36 km cell")
ax.set(title=f"{pixel.lat:.2f} N {pixel.lon:.2f} E", ylabel="soil moisture, m$^3$ m$^{-3}$", ylim=(0, None))
ax.tick_params(axis="x", rotation=30)
ax.legend(ncols=2, frameon=False, fontsize="small")
figure.savefig(work / "pixel.png")

# %% [markdown]
# Where a square is missing, the orbit left a gap that day; the map has none. This pixel lies on dry ground in a wetter
# cell: the map has noticed, and the shaded interval says how sure it is.
#
# ## 6. Is it any good?
#
# Against the truth, over all land pixels and days: the error of the map, and of the interpolated 36 km values.

# %%
for name, ssm in {"ssm_net": maps.ssm, "bilinear": ssm_net.open_mosaics(work / "bilinear").ssm}.items():
    error = ssm - truth
    print(f"{name:9s} RMSE {float(np.sqrt((error**2).mean())):.3f} m3 m-3, bias {float(error.mean()):+.3f}")

# %% [markdown]
# Take this with a grain of salt: the networks learned in worlds made by the same simulator, and this one is kind to
# them. Real ground is not. At 26 dense stations inside two radiometer cells in Australia, these networks were worse
# inside a cell than no downscaling at all (README, limitations). The honest test is your own: `evaluate` takes
# `stations=` (a folder of the International Soil Moisture Network) and compares the maps with what the probes say.
#
# **From here.** With your own granules in `raw`, begin at step 2, with at least a season of them; the commands
# `ssm-net prepare`, `train`, `infer` and `evaluate` do the same from a shell. `format="cog"` writes GeoTIFFs for QGIS,
# and `open_mosaics` opens those too.
