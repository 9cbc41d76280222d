//! [`Archived`]: a journal whose records go to the archive as well, once they are on disk.

use crate::bus::redis::ArchiveSender;
use crate::desk::record::RecoveredOrder;
use crate::desk::{Journal, JournalError, Record};
use crate::model::ClientOrderId;

pub(super) struct Archived<J> {
    pub(super) journal: J,
    pub(super) archive: ArchiveSender<Record>,
}

impl<J: Journal> Journal for Archived<J> {
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        self.journal.append(records)?;
        records.iter().for_each(|record| self.archive.put(record.clone()));
        Ok(())
    }

    fn find(&self, name: &ClientOrderId) -> Result<Option<RecoveredOrder>, JournalError> {
        self.journal.find(name)
    }
}
