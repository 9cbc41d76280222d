//! [`Watched`]: the real journal, with a disk that can be full and a host that can die around
//! each of its writes.

use std::sync::Arc;

use hotpit::desk::record::RecoveredOrder;
use hotpit::desk::{Journal, JournalError, Record};
use hotpit::journal::Store;
use hotpit::model::ClientOrderId;

use super::network::{Life, Network};

pub struct Watched {
    pub store: Store,
    pub network: Arc<Network>,
    pub life: Arc<Life>,
}

impl Journal for Watched {
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        live_on(&self.life);
        if self.network.disk_is_full() {
            self.network.saw("journal: full");
            return Err(JournalError::Write { reason: "the disk is full".to_owned() });
        }
        self.store.append(records)?;
        self.network.saw(format_args!("journal: {} records", records.len()));
        self.network.facts(|facts| {
            if facts.is_told {
                records.iter().for_each(|record| println!("             {record:?}"));
            }
            facts.committed(records);
        });
        live_on(&self.life);
        Ok(())
    }

    fn find(&self, name: &ClientOrderId) -> Result<Option<RecoveredOrder>, JournalError> {
        self.store.find(name)
    }
}

/// Ends the desk's task here and now, if its life is over: without a word, as a kill does.
fn live_on(life: &Life) {
    if !life.step() {
        std::panic::resume_unwind(Box::new("killed"));
    }
}
