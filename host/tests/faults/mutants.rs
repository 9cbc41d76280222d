//! Defects on purpose: without one of the desk's promises the simulator must find the seed that
//! shows it. Nothing of this is in the product.

use std::sync::Arc;

use hotpit::desk::record::RecoveredOrder;
use hotpit::desk::{
    AccountSnapshot, CancelOutcome, CancelRequest, Journal, JournalError, PlaceOutcome,
    PlaceRequest, ReadError, Record, Venue,
};
use hotpit::kalshi::Client;
use hotpit::model::{ClientOrderId, VenueOrder};
use hotpit_units::{Quantity, Timestamp};

use super::journal::Watched;
use super::network::SimTransport;

/// What is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The journal says that it wrote, and writes later.
    WriteAhead,
    /// An order of unknown outcome is sent again under another name.
    IdReuse,
    /// An order of unknown outcome is taken for rejected.
    Unknown,
}

impl Mutant {
    pub const ALL: [Self; 3] = [Self::WriteAhead, Self::IdReuse, Self::Unknown];

    pub const fn name(self) -> &'static str {
        match self {
            Self::WriteAhead => "write-ahead",
            Self::IdReuse => "id-reuse",
            Self::Unknown => "unknown",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutant| mutant.name() == name)
    }
}

/// The journal as the mutant has it.
pub fn journal(mutant: Option<Mutant>, journal: Watched) -> Box<dyn Journal> {
    match mutant {
        Some(Mutant::WriteAhead) => Box::new(WriteBehind { inner: journal, held: Vec::new() }),
        Some(Mutant::IdReuse | Mutant::Unknown) | None => Box::new(journal),
    }
}

/// A journal that is one write behind.
struct WriteBehind {
    inner: Watched,
    held: Vec<Record>,
}

impl Journal for WriteBehind {
    fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let late = std::mem::replace(&mut self.held, records.to_vec());
        self.inner.append(&late)
    }

    fn find(&self, name: &ClientOrderId) -> Result<Option<RecoveredOrder>, JournalError> {
        self.inner.find(name)
    }
}

/// The exchange's client as the mutant has it.
pub struct Mutated {
    pub inner: Client<SimTransport>,
    pub mutant: Mutant,
}

impl Venue for Mutated {
    async fn place(&self, request: PlaceRequest) -> PlaceOutcome {
        let again = PlaceRequest {
            client_order_id: ClientOrderId::from(format!(
                "{}-again",
                request.client_order_id.as_str()
            )),
            ticker: Arc::clone(&request.ticker),
            ..request.clone()
        };
        match (self.inner.place(request).await, self.mutant) {
            (PlaceOutcome::Unknown { reason }, Mutant::Unknown) => {
                PlaceOutcome::Rejected { reason }
            }
            (PlaceOutcome::Unknown { .. }, Mutant::IdReuse) => self.inner.place(again).await,
            (outcome, _) => outcome,
        }
    }

    async fn make_group(&self, limit: Quantity, exchange_index: i32) -> Result<Arc<str>, String> {
        self.inner.make_group(limit, exchange_index).await
    }

    async fn cancel(&self, request: CancelRequest) -> CancelOutcome {
        self.inner.cancel(request).await
    }

    async fn find(
        &self,
        client_order_id: &ClientOrderId,
        ticker: &str,
        placed_at: Timestamp,
    ) -> Result<Option<VenueOrder>, ReadError> {
        self.inner.find(client_order_id, ticker, placed_at).await
    }

    async fn account(&self, since: Timestamp) -> Result<AccountSnapshot, ReadError> {
        self.inner.account(since).await
    }
}
