# Two images from one file: `web` (also scheduler and migrations; no torch) and `worker`.
# A CPU build of PyTorch: docker build --build-arg TORCH_INDEX=<PyTorch's CPU wheel index> --target worker .
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 AIGC_HOME=/data
RUN useradd --uid 10001 --create-home aigc && install --directory --owner aigc /data
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY docs docs
COPY aigc aigc
COPY aigc_models aigc_models
COPY jobs jobs
COPY migrations migrations
COPY web web
COPY worker worker

FROM base AS web
# pg_dump and psql, for `aigc backup` and `aigc restore`; as new as the server or newer.
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
RUN pip install --constraint constraints.txt '.[postgres]'
USER aigc
EXPOSE 8000
CMD ["python", "-m", "web"]

FROM base AS worker
ARG TORCH_INDEX=""
# Pretrained language models: docker build --build-arg EXTRAS=,llm
ARG EXTRAS=""
RUN pip install --constraint constraints.txt ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} ".[worker,postgres${EXTRAS}]"
USER aigc
CMD ["python", "-m", "worker.launch", "--lane", "training", "--lane", "generation"]
