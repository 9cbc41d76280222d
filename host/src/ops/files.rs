//! [`Endpoint`]: how the commands of the command line find a running host, through two files in
//! its state folder.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::config::Secret;

/// The address that the host listens on.
const ADDRESS: &str = "ops.addr";
/// The token of this run. Readable for the user who started the host, and nobody else.
const TOKEN: &str = "ops.token";

/// Where a host listens, and what it wants to see of somebody who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The address, reachable from this machine.
    pub address: SocketAddr,
    /// The token of this run.
    pub token: Secret,
}

/// Why no running host was found.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// There is no address in the folder.
    #[error(
        "no hotpit is running with the state folder `{}`: start one with `hotpit run`, or name \
         its configuration with --config",
        .0.display()
    )]
    NotRunning(PathBuf),
    /// A file cannot be read.
    #[error("cannot read {path}: {cause}; run this as the user who started hotpit")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file has something else in it.
    #[error("{} has no address in it: remove it and start hotpit again", .0.display())]
    NotAnAddress(PathBuf),
}

impl Endpoint {
    /// Reads the endpoint of the host with this state folder.
    ///
    /// # Errors
    /// When there is none, or its files are not for this user.
    pub fn find(folder: &Path) -> Result<Self, EndpointError> {
        let read = |name| {
            let path = folder.join(name);
            fs::read_to_string(&path).map_err(|cause| match cause.kind() {
                ErrorKind::NotFound => EndpointError::NotRunning(folder.into()),
                _ => EndpointError::Unreadable { path, cause },
            })
        };
        let address = read(ADDRESS)?;
        let address = address
            .trim()
            .parse()
            .map_err(|_| EndpointError::NotAnAddress(folder.join(ADDRESS)))?;
        Ok(Self { address, token: Secret::new(read(TOKEN)?.trim().to_owned()) })
    }

    /// Writes the endpoint of this host. The token comes first: whoever sees the address can
    /// talk.
    pub(super) fn publish(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        write_whole(&folder.join(TOKEN), self.token.expose(), 0o600)?;
        write_whole(&folder.join(ADDRESS), &self.address.to_string(), 0o644)
    }

    /// Removes what [`publish`](Self::publish) wrote.
    pub(super) fn withdraw(folder: &Path) {
        for name in [ADDRESS, TOKEN] {
            // One that is gone already is as it should be; one that stays names a port that
            // nobody answers, which the next reader is told.
            let _ = fs::remove_file(folder.join(name));
        }
    }
}

/// A bound address as this machine reaches it.
pub(super) fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

/// Writes a file that others see whole or not at all, with its mode from the first byte on.
fn write_whole(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    // What a process of the same number left behind would keep its mode.
    let _ = fs::remove_file(&part);
    let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(&part)?;
    writeln!(file, "{text}")?;
    drop(file);
    fs::rename(&part, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn endpoint() -> Endpoint {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7_701));
        Endpoint { address, token: Secret::new("secret".into()) }
    }

    #[test]
    fn what_is_published_is_found_until_it_is_withdrawn() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert!(matches!(Endpoint::find(&state), Err(EndpointError::NotRunning(_))));
        endpoint().publish(&state).unwrap();
        endpoint().publish(&state).unwrap();
        assert_eq!(Endpoint::find(&state).unwrap(), endpoint());
        assert_eq!(fs::read_dir(&state).unwrap().count(), 2, "no parts are left");
        Endpoint::withdraw(&state);
        assert!(matches!(Endpoint::find(&state), Err(EndpointError::NotRunning(_))));
    }

    #[test]
    fn the_token_is_readable_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TOKEN), "old, and open to all").unwrap();
        endpoint().publish(folder.path()).unwrap();
        let mode = fs::metadata(folder.path().join(TOKEN)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_unspecified_address_is_reached_over_loopback() {
        let cases =
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")];
        for (bound, expected) in cases {
            assert_eq!(reachable(bound.parse().unwrap()), expected.parse().unwrap(), "{bound}");
        }
    }
}
