//! Where the guests are that benchmarks load.

use std::path::PathBuf;

/// A guest that `make guests` has built.
pub(crate) fn guest_file(name: &str) -> PathBuf {
    let built = format!("../target/wasm32-unknown-unknown/agent/{name}.wasm");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(built);
    assert!(path.is_file(), "{} is missing: run `make guests`", path.display());
    path
}
