# One image for all parts of a cluster: code location, web server, daemon, workers, and runs on Kubernetes.
# Build it in this folder: docker build -t autosr:0.1.0 .
FROM python:3.11-slim

WORKDIR /opt/autosr
COPY pyproject.toml constraints.txt README.md LICENSE workspace.yaml ./
COPY autosr_lib autosr_lib
COPY autosr_assets autosr_assets
COPY prompts prompts
COPY examples examples
# Installed as editable, so that `autosr_assets/defs`, `prompts` and `examples` are read from this folder.
RUN pip install --no-cache-dir --constraint constraints.txt --editable '.[distributed,k8s]'

COPY deploy/dagster.yaml /opt/dagster/dagster.yaml
RUN useradd --create-home --uid 10001 autosr && chown autosr /opt/dagster
USER autosr
ENV DAGSTER_HOME=/opt/dagster \
    PYTHONUNBUFFERED=1
EXPOSE 3000 4000
CMD ["dagster", "code-server", "start", "-h", "0.0.0.0", "-p", "4000", "-m", "autosr_assets.definitions"]
