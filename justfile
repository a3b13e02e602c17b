# Short names for the commands of CONTRIBUTING.md. Every recipe is one command that also works without `just`.

# Format, lints and documentation, as CI checks them.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# The fast tier: unit tests and the integration tests without process kills and load.
test:
    cargo test --workspace -- --skip overload:: --skip embedded:: --skip torture:: --skip rebuild::kills --skip tenancy::pool

# The fast tier with cargo-nextest: one process per test, one PostgreSQL.
nextest:
    cargo nextest run --workspace

# All tests.
test-all:
    cargo test --workspace

# Rewrites .sqlx after a change of a statement or a migration.
sqlx:
    .ci/sqlx prepare

# Rewrites the generated reference pages.
bless-docs:
    UPDATE_DOCS=1 cargo test -p server --test cli -- docs::

# A server on the private PostgreSQL below ./data.
run:
    cargo run --release -- serve

# Licences, sources and duplicates of dependencies (cargo-deny); advisories need the network.
deny:
    cargo deny check licenses bans sources

# Migrations that a data directory lacks, and the tables they lock.
pending:
    cargo run -- migrate --dry-run

# Measures of language and of import circles.
measures:
    .ci/prose
    .ci/circles
