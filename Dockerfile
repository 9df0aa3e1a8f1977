# Postrider: one image, one binary. Which process a container is, its first argument says: `ingest`, `dispatcher`,
# `log-writer`, `jobs`, `api`, `migrate`; without one it is `serve`, the whole system on one file in /data.
# Wants BuildKit (the default since Docker 23; before that DOCKER_BUILDKIT=1), for the cache mounts.

FROM rust:1.95.0-bookworm AS build
WORKDIR /src
COPY . .
# Cargo goes by times of files, and those of a fresh checkout may be older than what the cache holds: hence the touch. The
# binary leaves the cache mount within the same step. /data is made here because the next stage has no shell.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    find crates tests -type f -exec touch {} + && \
    cargo build --release --locked --package postrider-cli && \
    install -D target/release/postrider /out/postrider && \
    mkdir -p /volumes/data

# glibc, libgcc, CA certificates, time zones; no shell, no package manager. Distroless names no versions but by digest:
# whoever wants every build the same adds `@sha256:…` here.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Postrider" \
      org.opencontainers.image.description="Carries content events to webhooks, with retries and a record of every call" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/postrider /usr/local/bin/postrider
# Only `serve` writes here: mount a volume over it.
COPY --from=build --chown=65532:65532 /volumes/ /
# A container's loopback is its own; who may reach the port is decided where it is published.
ENV POSTRIDER__SERVER__BIND=0.0.0.0:8026 \
    POSTRIDER__DATA__DIR=/data
USER 65532:65532
EXPOSE 8026
STOPSIGNAL SIGTERM
# Ready, not merely alive: Docker shows it and compose waits for it, neither restarts because of it.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD ["/usr/local/bin/postrider", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/postrider"]
CMD ["serve"]
