//! Hosts that share the work: one takes in the feeds, others run agents on them.

use std::fs;
use std::path::Path;

use hotpit::app::{Host, Ingest};
use hotpit::config::{Config, Credentials, Secret};
use hotpit::ops::{Role, Source as _, Status};
use hotpit_exchange::server::AccountSettings;
use hotpit_exchange::server::credentials::{self, KeyKind, generate_credentials};
use hotpit_rt::{Clock, Entropy};
use serde_json::Value;

use super::{Floor, books};

/// A host with agents of its own, on an account or a subaccount of its own.
pub struct Desk {
    folder: tempfile::TempDir,
    key: credentials::Credentials,
    subaccount: u8,
    host: Option<Host>,
}

fn credentials_of(key: &credentials::Credentials) -> Credentials {
    let pem = fs::read_to_string(&key.private_key).unwrap();
    Credentials { key_id: key.key_id.clone(), private_key: Secret::new(pem) }
}

impl Floor {
    /// Its configuration, in another role and with another folder.
    fn config_as(&self, role: Role, folder: &Path) -> Config {
        let mut config = Config::load(Some(&self.config_path())).unwrap();
        config.state_folder = folder.join("state");
        config.agents.folder = folder.join("agents");
        config.play(Some(role)).unwrap();
        config
    }

    /// Starts a host that takes in the feeds, in a folder of its own.
    pub async fn start_ingest(&self, folder: &Path) -> Ingest {
        let config = self.config_as(Role::Ingest, folder);
        let credentials = Some(credentials_of(&self.key));
        Ingest::start(config, credentials, Clock::system(), Entropy::seeded(9)).await.unwrap()
    }

    /// Starts a host that runs these agents on what is taken in elsewhere, with a new account.
    pub async fn start_desk(&self, agents: &[(&'static str, &'static str)]) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let key = generate_credentials(&folder.path().join("keys"), KeyKind::Ed25519).unwrap();
        let (id, public) = (key.key_id.clone(), key.public_key_pem().unwrap());
        self.exchange.open_account(AccountSettings::new(&*id, public)).await.unwrap();
        self.start_desk_as(folder, key, 0, agents).await
    }

    /// The same on a subaccount of this floor's key.
    pub async fn start_desk_in(
        &self,
        subaccount: u8,
        agents: &[(&'static str, &'static str)],
    ) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        self.start_desk_as(folder, self.key.clone(), subaccount, agents).await
    }

    async fn start_desk_as(
        &self,
        folder: tempfile::TempDir,
        key: credentials::Credentials,
        subaccount: u8,
        agents: &[(&'static str, &'static str)],
    ) -> Desk {
        fs::create_dir(folder.path().join("agents")).unwrap();
        for (name, guest) in agents {
            let file = folder.path().join("agents").join(format!("{name}.wasm"));
            fs::write(file, super::guest_bytes(guest)).unwrap();
        }
        let mut desk = Desk { folder, key, subaccount, host: None };
        desk.start(self).await;
        desk
    }
}

impl Desk {
    async fn start(&mut self, floor: &Floor) {
        let mut config = floor.config_as(Role::Agents, self.folder.path());
        config.kalshi.subaccount = self.subaccount;
        let credentials = Some(credentials_of(&self.key));
        let entropy = Entropy::os();
        let host = Host::start(config, credentials, Clock::system(), entropy).await.unwrap();
        self.host = Some(host);
    }

    pub async fn status(&self) -> Status {
        self.host.as_ref().unwrap().source().status().await.unwrap()
    }

    async fn audit(&self, floor: &Floor) -> Value {
        let audit = floor.exchange.audit(&self.key.key_id, self.subaccount).await;
        audit.unwrap().expect("the account exists")
    }

    /// How many of its orders work at the exchange.
    pub async fn working(&self, floor: &Floor) -> usize {
        self.audit(floor).await["open_orders"].as_array().unwrap().len()
    }

    /// How many orders it has met that are not its own.
    pub fn met_of_others(&self) -> i64 {
        let journal = self.folder.path().join("state").join("journal.db");
        let journal = rusqlite::Connection::open(journal).unwrap();
        let question = "SELECT count(*) FROM differences
            WHERE kind IN ('stray_order', 'external_order')";
        journal.query_row(question, (), |row| row.get(0)).unwrap()
    }

    /// Ends it and compares its books with the exchange's.
    pub async fn stop(mut self, floor: &Floor) -> Status {
        let status = self.host.take().unwrap().stop().await.unwrap();
        let journal = self.folder.path().join("state").join("journal.db");
        let journal = rusqlite::Connection::open(journal).unwrap();
        let audit = self.audit(floor).await;
        let fills: i64 =
            journal.query_row("SELECT count(*) FROM fills", (), |row| row.get(0)).unwrap();
        books::assert_agree(&status, fills.cast_unsigned(), &audit);
        books::assert_orders_sent_once(&journal, &audit);
        status
    }
}
