//! [`RunSettings`]: whether a run records itself, and how much of that is kept.

use std::path::Path;

use serde::Deserialize;

/// The `[recording]` part of the host's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSettings {
    /// The folder for the recordings of runs; empty: runs are not recorded.
    pub folder: String,
    /// How large a file gets, in MiB, before the next one begins.
    pub file_mib: u64,
    /// How large all recordings in the folder together may get, in MiB: the oldest files go.
    pub disk_mib: u64,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self { folder: String::new(), file_mib: 64, disk_mib: 8_192 }
    }
}

impl RunSettings {
    /// Where to record; none: nothing is recorded.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        Some(Path::new(&self.folder)).filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Adds a line to `problems` for each value that cannot work.
    pub fn validate(&self, problems: &mut Vec<String>) {
        let Self { file_mib, disk_mib, .. } = *self;
        if !(1..=65_536).contains(&file_mib) {
            problems.push(format!("recording.file_mib is {file_mib}: must be from 1 to 65536"));
        }
        // A file is deleted whole.
        if disk_mib < file_mib.saturating_mul(2) || disk_mib > 1 << 30 {
            problems.push(format!(
                "recording.disk_mib is {disk_mib}: must be at least twice recording.file_mib, and \
                 at most {}",
                1 << 30
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_holds_no_two_files_is_a_problem() {
        let mut problems = vec![];
        RunSettings::default().validate(&mut problems);
        assert_eq!(problems, Vec::<String>::new());
        let settings = RunSettings { file_mib: 0, disk_mib: 0, ..RunSettings::default() };
        settings.validate(&mut problems);
        assert_eq!(problems.len(), 1, "{problems:?}");
        RunSettings { file_mib: 10, disk_mib: 19, ..settings }.validate(&mut problems);
        assert!(problems[1].contains("disk_mib is 19"), "{problems:?}");
    }
}
