# syntax=docker/dockerfile:1
# One for all five images: docker build --build-arg SERVICE=mqtt-ingest --tag wattline/mqtt-ingest .
# SERVICE is mqtt-ingest, timescale-sink, aggregator, query-api or wattlinectl.

FROM rust:1.95-bookworm AS build
ARG SERVICE
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libssl-dev zlib1g-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
# The caches are shared by the five builds. librdkafka is linked statically; OpenSSL, zlib and the C library are not.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target,sharing=locked \
    case "$SERVICE" in \
      mqtt-ingest | timescale-sink | aggregator | query-api) binary="wattline-$SERVICE" ;; \
      wattlinectl) binary="$SERVICE" ;; \
      *) echo "SERVICE is '$SERVICE': name one of the five" >&2; exit 1 ;; \
    esac \
    && cargo build --profile dist --locked --package "$binary" --bin "$binary" \
    && scripts/image-root.sh "target/dist/$binary" /image

FROM scratch
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="wattline-$SERVICE" \
      org.opencontainers.image.description="Home energy-meter readings from MQTT through Kafka into TimescaleDB" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/wattline/wattline"
COPY --from=build /image /
# Writes nothing: run it with a read-only root file system.
USER 65532:65532
ENTRYPOINT ["/usr/bin/service"]
