//! [`Settings`] of the journal. Section `[journal]`.

use serde::Deserialize;

/// The journal. Section `[journal]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What an order's record survives before its request leaves.
    pub durability: Durability,
    /// After how many days a final order is deleted with all that is known of it; 0: never.
    pub retention_days: u32,
    /// How large the database grows, in MiB, before the oldest final orders go; 0: no limit.
    pub max_size_mib: u32,
}

/// What a record survives once it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The end of the process at any instant. A power cut may take the last records; the
    /// exchange still has the orders, and reconciliation finds them.
    #[default]
    Normal,
    /// A power cut too: every write waits for the disk.
    Full,
}

impl Default for Settings {
    fn default() -> Self {
        Self { durability: Durability::Normal, retention_days: 90, max_size_mib: 4_096 }
    }
}

impl Settings {
    /// Adds what is wrong, each with its key.
    pub fn validate(&self, problems: &mut Vec<String>) {
        if self.max_size_mib != 0 && self.max_size_mib < 16 {
            problems.push(format!(
                "journal.max_size_mib: {} is less than 16: a day of trading must fit",
                self.max_size_mib
            ));
        }
    }
}
