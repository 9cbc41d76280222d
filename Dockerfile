# The host with the example agents, on an image without a shell. Keys and settings come from outside;
# it writes to /hotpit/state and nowhere else:
#   docker run --read-only -e KALSHI_KEY_ID=... -e KALSHI_PRIVATE_KEY_FILE=/run/secrets/kalshi.pem \
#       -v ./kalshi.pem:/run/secrets/kalshi.pem:ro -v ./agents:/hotpit/agents:ro \
#       -v hotpit-state:/hotpit/state hotpit
FROM rust:1.95.0-bookworm AS build
WORKDIR /src
RUN rustup target add wasm32-unknown-unknown
COPY . .
RUN cargo build --release --locked -p hotpit && make agents
RUN install -D -s -m 0755 target/release/hotpit /image/usr/local/bin/hotpit \
    && install -d /image/hotpit/agents /image/hotpit/state \
    && install -m 0644 agents/*.wasm /image/hotpit/agents/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr /usr
COPY --from=build --chown=65532:65532 /image/hotpit /hotpit
USER 65532:65532
WORKDIR /hotpit
VOLUME /hotpit/state
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["hotpit", "status"]
ENTRYPOINT ["hotpit"]
CMD ["run"]
