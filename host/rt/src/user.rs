//! Who this process runs as.

/// The user whose rights this process has.
#[must_use]
pub fn effective_id() -> u32 {
    rustix::process::geteuid().as_raw()
}
