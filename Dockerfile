# docker build -t granite-server .                          for a CPU
# docker build -t granite-server --build-arg TORCH=cuda .   for an NVIDIA GPU
ARG PYTHON=3.13
ARG TORCH=cpu

FROM python:${PYTHON}-slim AS build
ARG TORCH
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# For the native kernels; the release of the base image decides the version.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
# The CUDA wheel brings its own libraries: no CUDA base image is needed, only the host's driver.
RUN if [ "$TORCH" = cuda ]; \
    then pip install "torch==2.13.0"; \
    else pip install --no-deps --extra-index-url https://download.pytorch.org/whl/cpu "torch==2.13.0+cpu"; \
    fi
COPY pyproject.toml constraints.txt ./
# Dependencies first: this layer is rebuilt only when they change.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" > requirements.txt \
    && pip install --constraint constraints.txt --requirement requirements.txt
COPY README.md CHANGELOG.md hatch_build.py ./
COPY kernels kernels
COPY sampling sampling
COPY model_loader model_loader
COPY engine engine
COPY server server
RUN pip install --no-deps .

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --create-home granite \
    && install --directory --owner granite /models \
    && install --directory --owner granite --mode 700 /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/models \
    GRANITE_STORAGE=/data/storage.sqlite3 \
    GRANITE_HOST=0.0.0.0
USER 10001
VOLUME /models /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('GRANITE_PORT', '8000') + '/health/ready', timeout=4)"]
# Listening beyond the container needs GRANITE_API_KEY, or GRANITE_INSECURE=1 behind a guard of your own.
ENTRYPOINT ["granite-server"]
CMD ["serve"]
