# The host with the example agents. Keys and settings come from outside:
#   docker run -e KALSHI_KEY_ID=... -e KALSHI_PRIVATE_KEY_FILE=/run/secrets/kalshi.pem \
#       -v ./agents:/hotpit/agents -v hotpit-state:/hotpit/state hotpit
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
RUN rustup target add wasm32-unknown-unknown
COPY . .
RUN cargo build --release --locked -p hotpit && make agents

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /hotpit hotpit \
    && install -d -o hotpit -g hotpit /hotpit/agents /hotpit/state
COPY --from=build /src/target/release/hotpit /usr/local/bin/hotpit
COPY --from=build --chown=hotpit:hotpit /src/agents/*.wasm /hotpit/agents/
USER hotpit
WORKDIR /hotpit
VOLUME /hotpit/state
STOPSIGNAL SIGTERM
ENTRYPOINT ["hotpit"]
CMD ["run"]
