# syntax=docker/dockerfile:1
# Two images from one file. Neither has been built where it was written: see docs/operations/install.md.
#   docker build --target slim -t call-ledger:slim .        needs DATABASE_URL
#   docker build --target all-in-one -t call-ledger .       brings PostgreSQL 15 along

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package server \
 && install -D target/release/call-ledger /out/call-ledger \
 && install -d -m 0700 /out/data

FROM gcr.io/distroless/cc-debian12:nonroot AS slim
COPY --from=build /out/call-ledger /usr/local/bin/call-ledger
# The keyring and the root key: a volume takes owner and mode from here.
COPY --from=build --chown=65532:65532 /out/data /var/lib/call-ledger
ENV CALL_LEDGER_DATA_DIR=/var/lib/call-ledger \
    CALL_LEDGER_LISTEN=0.0.0.0:8080
USER 65532:65532
VOLUME /var/lib/call-ledger
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s \
    CMD ["/usr/local/bin/call-ledger", "probe"]
ENTRYPOINT ["/usr/local/bin/call-ledger"]
CMD ["serve"]

FROM debian:12-slim AS all-in-one
# create_main_cluster: the package would otherwise make a cluster that nobody uses.
# hadolint ignore=DL3008
RUN mkdir -p /etc/postgresql-common \
 && echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf \
 && apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates postgresql-15 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ledger \
 && install -d -m 0700 -o ledger -g ledger /var/lib/call-ledger
COPY --from=build /out/call-ledger /usr/local/bin/call-ledger
ENV CALL_LEDGER_DATA_DIR=/var/lib/call-ledger \
    CALL_LEDGER_LISTEN=0.0.0.0:8080
USER 10001:10001
VOLUME /var/lib/call-ledger
EXPOSE 8080
# The first start makes the database; a start after a crash replays its log.
HEALTHCHECK --interval=10s --timeout=6s --start-period=300s \
    CMD ["/usr/local/bin/call-ledger", "probe"]
ENTRYPOINT ["/usr/local/bin/call-ledger"]
CMD ["serve"]
