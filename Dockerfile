# Seatledger in a container: see docs/container.md.
#
# The images are named by tag. For builds that can be repeated, pin each by its digest, as
# `docker buildx imagetools inspect IMAGE` prints it: FROM IMAGE@sha256:...

FROM rust:1.95-bookworm AS builder
WORKDIR /src
COPY . .
# For the metric seatledger_build_info: --build-arg SEATLEDGER_COMMIT=$(git rev-parse HEAD).
ARG SEATLEDGER_COMMIT=unknown
RUN cargo build --release --locked --bin seatledger && install -d -m 0700 /state && \
    packaging/licences >/licences-of-libraries

# Besides the program: the C library, libgcc, certificate authorities, time zones. No shell.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=builder /src/target/release/seatledger /usr/bin/seatledger
COPY --from=builder /src/LICENSE /licences-of-libraries /usr/share/doc/seatledger/
# The refresh token is the only file that is written. Everything else can be read-only.
COPY --from=builder --chown=65532:65532 /state /var/lib/seatledger
ENV STATE_DIRECTORY=/var/lib/seatledger
VOLUME /var/lib/seatledger
USER 65532:65532
EXPOSE 9464
# By the program itself, since there is no other: unhealthy while the database is away and when a
# run is late. During a start it shows nothing new: the daemon waits for its database.
HEALTHCHECK --interval=5m --timeout=30s --start-period=2m \
    CMD ["/usr/bin/seatledger", "status", "--json"]
ENTRYPOINT ["/usr/bin/seatledger"]
