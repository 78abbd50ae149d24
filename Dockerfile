# ssm_net for one machine. CPU:
#   docker build -t ssm_net .
# NVIDIA GPU (the machine needs its driver and the NVIDIA Container Toolkit; run with --gpus all):
#   docker build -t ssm_net:cuda --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cu126 .
# Use: the folder with the data is /work, and its files stay yours.
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD":/work ssm_net prepare raw=raw cube=cube.zarr ...
FROM python:3.12-slim-bookworm

ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/home/ssm_net

# The wheel of rasterio loads libexpat from the system.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/ssm_net
COPY constraints.txt ./
# The version is that of TORCH.
# hadolint ignore=DL3013
RUN pip install --index-url "${TORCH_INDEX}" --extra-index-url https://pypi.org/simple "${TORCH}"

COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY conf conf
COPY ssm_net ssm_net
RUN pip install -c constraints.txt '.[ingest,download,eval,extract]'

# A home that any user may write to: docker run --user has no entry in the list of users.
RUN useradd --uid 10001 --create-home --home-dir /home/ssm_net ssm_net \
    && chmod 1777 /home/ssm_net
USER 10001
WORKDIR /work
ENTRYPOINT ["ssm-net"]
CMD ["--help"]
