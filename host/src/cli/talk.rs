//! The commands that talk to a running host, and how its answers are printed.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use hotpit_units::Timestamp;

use super::client::Client;
use super::table::{Align, Table};
use super::text::{micros, print, print_json, since, size};
use super::upstreams;
use crate::desk::{OrderLine, PositionLine, ProfitLine, Report, ShardLine};
use crate::model::{AgentId, OrderState};
use crate::ops::{AgentLine, Done, LogLevel, Order, Role, Status};

/// What is asked of a running host.
#[derive(Debug)]
pub(super) enum Request {
    Status { json: bool },
    Agents { json: bool },
    Positions { json: bool },
    Pnl { json: bool },
    Orders { json: bool },
    Halt { agent: Option<String>, reason: Option<String>, reducing: bool, json: bool },
    Resume { agent: Option<String>, json: bool },
    Log { level: String, json: bool },
}

/// Asks the host with this state folder, and prints the answer.
pub(super) fn talk(folder: &Path, request: Request) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let client = Client::new(folder)?;
    runtime.block_on(ask(&client, request))
}

async fn ask(client: &Client, request: Request) -> anyhow::Result<()> {
    match request {
        Request::Status { json } => {
            let status: Status = client.get("/status").await?;
            if json { print_json(&status) } else { print(&status_text(&status)) }
        }
        Request::Agents { json } => {
            let agents: Vec<AgentLine> = client.get("/agents").await?;
            if json { print_json(&agents) } else { print(&agents_text(&agents)) }
        }
        Request::Positions { json } => {
            let positions: Vec<PositionLine> = client.get("/positions").await?;
            if json { print_json(&positions) } else { print(&positions_text(&positions)) }
        }
        Request::Pnl { json } => {
            let status: Status = client.get("/status").await?;
            let profits = &status.desk.profits;
            if json { print_json(profits) } else { print(&profits_text(&status.desk)) }
        }
        Request::Orders { json } => {
            let status: Status = client.get("/status").await?;
            let orders = &status.desk.working;
            if json { print_json(orders) } else { print(&orders_text(orders, status.now)) }
        }
        Request::Halt { agent, reason, reducing, json } => {
            let order = Order { agent: agent.map(AgentId::from), reason, reducing };
            let done: Done = client.post("/halt", &order).await?;
            if json {
                return print_json(&done);
            }
            let whose = whose(&done);
            let what = if reducing { "only orders that reduce" } else { "no new orders" };
            print(&format!("halted: {what} of {whose}, working ones are being canceled\n"))
        }
        Request::Resume { agent, json } => {
            let order = Order { agent: agent.map(AgentId::from), ..Order::default() };
            let done: Done = client.post("/resume", &order).await?;
            if json {
                return print_json(&done);
            }
            print(&format!("resumed: orders of {} are accepted again\n", whose(&done)))
        }
        Request::Log { level, json } => {
            let now: LogLevel = client.post("/log", &LogLevel { level }).await?;
            if json { print_json(&now) } else { print(&format!("log: {}\n", now.level)) }
        }
    }
}

fn whose(done: &Done) -> String {
    done.agent.as_ref().map_or_else(|| "all agents".into(), ToString::to_string)
}

fn status_text(status: &Status) -> String {
    let (fine, mode) = match (status.role, status.sends_orders) {
        (Role::Ingest, _) => ("publishing", "the feeds alone"),
        (Role::All | Role::Agents, true) => ("trading", "sends orders"),
        (Role::All | Role::Agents, false) => ("trading", "dry run: orders are only logged"),
    };
    let troubles = status.troubles();
    let state = if troubles.is_empty() { fine.to_owned() } else { troubles.join("; ") };
    let mut lines = vec![
        ("state", state),
        ("venue", format!("{} ({mode})", status.venue)),
        ("version", status.version.clone()),
        ("up", since(status.started, status.now)),
        ("events", status.events.to_string()),
    ];
    if status.role != Role::Ingest {
        lines.extend(desk_lines(status));
    }
    let mut text = String::new();
    for (name, value) in lines {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<11} {value}");
    }
    text.push('\n');
    text.push_str(&upstreams::text(status));
    text
}

fn desk_lines(status: &Status) -> [(&'static str, String); 8] {
    let summary = status.summary();
    let (working, unknown) = (status.desk.working.len(), status.desk.unknown);
    [
        ("intents", format!("{} ({} denied)", summary.intents, summary.denied)),
        ("orders", format!("{} sent, {working} working, {unknown} unknown", summary.orders)),
        ("fills", summary.fills.to_string()),
        ("compared", compared(status)),
        ("cash", cash(&status.desk)),
        ("realized", summary.realized.to_string()),
        ("unrealized", or_unpriceable(summary.unrealized)),
        ("fees", summary.fees.to_string()),
    ]
}

/// The cash, and where it lies: an order is paid from the shard of its market alone.
fn cash(desk: &Report) -> String {
    let line =
        |line: &ShardLine| format!("shard {}: {}, {} free", line.shard, line.cash, line.free);
    let shards: Vec<String> = desk.shards.iter().map(line).collect();
    match shards.as_slice() {
        // The account has not been read yet.
        [] => desk.cash.to_string(),
        shards => format!("{} ({})", desk.cash, shards.join("; ")),
    }
}

/// When the desk's books were last compared with the exchange's, and why not since then.
fn compared(status: &Status) -> String {
    let when = status
        .desk
        .compared
        .map_or_else(|| "never".into(), |ts| format!("{} ago", since(ts, status.now)));
    match &status.desk.compare_error {
        Some(error) => format!("{when}; the last try failed: {error}"),
        None => when,
    }
}

fn agents_text(agents: &[AgentLine]) -> String {
    let mut table = Table::new([
        ("AGENT", Align::Left),
        ("VERSION", Align::Left),
        ("HASH", Align::Left),
        ("STATE", Align::Left),
        ("MARKETS", Align::Right),
        ("EVENTS", Align::Right),
        ("EVENTS/S", Align::Right),
        ("ACTIONS", Align::Right),
        ("DROPPED", Align::Right),
        ("FAILURES", Align::Right),
        ("MOST A CALL", Align::Right),
        ("CALL P50", Align::Right),
        ("CALL P99", Align::Right),
        ("MEMORY", Align::Right),
        ("P&L", Align::Right),
        ("REASON", Align::Left),
    ]);
    for agent in agents {
        table.row([
            agent.agent.to_string(),
            agent.version.clone(),
            agent.hash.chars().take(12).collect(),
            agent.phase.to_string(),
            agent.markets.to_string(),
            agent.events.to_string(),
            agent.events_per_second.to_string(),
            agent.actions.to_string(),
            agent.dropped.to_string(),
            agent.failures.to_string(),
            of(agent.actions_most.to_string(), agent.actions_max, ""),
            micros(agent.call_p50_ns),
            of(micros(agent.call_p99_ns), agent.call_ms_max, " ms"),
            of(size(agent.memory_bytes), agent.memory_bytes_max >> 20, " MiB"),
            or_unpriceable(agent.profit),
            agent.reason.clone().unwrap_or_default(),
        ]);
    }
    table.render("no agents: drop a .wasm file into the agents folder")
}

/// What was used of what may be; a limit of 0 is not known.
fn of(used: String, limit: u64, unit: &str) -> String {
    if limit == 0 { used } else { format!("{used} of {limit}{unit}") }
}

fn profits_text(desk: &Report) -> String {
    let mut table = Table::new([
        ("AGENT", Align::Left),
        ("REALIZED", Align::Right),
        ("UNREALIZED", Align::Right),
        ("FEES", Align::Right),
        ("NET", Align::Right),
    ]);
    let all = ProfitLine {
        agent: None,
        realized: desk.realized,
        unrealized: desk.unrealized,
        fees: desk.fees,
    };
    let lines = desk
        .profits
        .iter()
        .map(|line| (line.agent.as_ref().map_or_else(outside, ToString::to_string), line));
    for (name, line) in lines.chain([("all".to_owned(), &all)]) {
        table.row([
            name,
            line.realized.to_string(),
            or_unpriceable(line.unrealized),
            line.fees.to_string(),
            or_unpriceable(line.net()),
        ]);
    }
    table.render("no agent has traded")
}

/// A value that needs a price of its market, which may have none.
fn or_unpriceable<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "unpriceable".to_owned(), |value| value.to_string())
}

fn positions_text(positions: &[PositionLine]) -> String {
    let mut table = Table::new([
        ("AGENT", Align::Left),
        ("MARKET", Align::Left),
        ("POSITION", Align::Right),
        ("AVERAGE", Align::Right),
        ("MARK", Align::Right),
        ("REALIZED", Align::Right),
        ("UNREALIZED", Align::Right),
        ("FEES", Align::Right),
    ]);
    for line in positions {
        table.row([
            line.agent.as_ref().map_or_else(outside, ToString::to_string),
            line.ticker.to_string(),
            line.quantity.to_string(),
            line.average_price.to_string(),
            or_unpriceable(line.mark),
            line.realized.to_string(),
            or_unpriceable(line.unrealized),
            line.fees.to_string(),
        ]);
    }
    table.render("no positions")
}

fn orders_text(orders: &[OrderLine], now: Timestamp) -> String {
    let mut table = Table::new([
        ("AGENT", Align::Left),
        ("MARKET", Align::Left),
        ("SIDE", Align::Left),
        ("PRICE", Align::Right),
        ("QUANTITY", Align::Right),
        ("FILLED", Align::Right),
        ("STATE", Align::Left),
        ("AGE", Align::Right),
        ("CLIENT ORDER ID", Align::Left),
    ]);
    for order in orders {
        table.row([
            order.agent.as_ref().map_or_else(outside, ToString::to_string),
            order.ticker.to_string(),
            order.side.to_string(),
            order.price.to_string(),
            order.quantity.to_string(),
            order.filled.to_string(),
            state_word(order.state).to_owned(),
            since(order.created, now),
            order.client_order_id.as_ref().map_or_else(dash, ToString::to_string),
        ]);
    }
    table.render("no working orders")
}

fn state_word(state: OrderState) -> &'static str {
    match state {
        OrderState::Denied => "denied",
        OrderState::Sent => "sent",
        OrderState::Resting => "resting",
        OrderState::PartlyFilled => "partly filled",
        OrderState::Filled => "filled",
        OrderState::Canceled => "canceled",
        OrderState::Expired => "expired",
        OrderState::Rejected => "rejected",
        OrderState::Unknown => "unknown",
    }
}

fn dash() -> String {
    "-".into()
}

/// Who has what no agent of this host has.
fn outside() -> String {
    "(outside)".into()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::{Arc, Mutex};

    use hotpit_rt::Entropy;
    use hotpit_units::{Price, Quantity, Side};

    use super::*;
    use crate::desk::record::Halted;
    use crate::ops::{Bound, Server, Settings, Source};

    /// A host that notes what it was told.
    #[derive(Default)]
    struct Host {
        told: Mutex<Vec<String>>,
        stuck: bool,
    }

    impl Source for Host {
        async fn status(&self) -> Result<Status, String> {
            if self.stuck {
                std::future::pending::<()>().await;
            }
            Ok(Status { version: "0.1.0".into(), events: 7, ..Status::default() })
        }

        async fn halt(&self, agent: Option<AgentId>, halted: Halted) -> Result<(), String> {
            self.told.lock().unwrap().push(format!("halt {agent:?} {}", halted.reason));
            match agent {
                Some(agent) if agent.as_str() == "nobody" => Err("no agent `nobody`".into()),
                _ => Ok(()),
            }
        }

        async fn resume(&self, agent: Option<AgentId>) -> Result<(), String> {
            self.told.lock().unwrap().push(format!("resume {agent:?}"));
            Ok(())
        }
    }

    #[test]
    fn a_host_that_takes_in_the_feeds_speaks_of_no_desk() {
        let mut status = Status { role: Role::Ingest, ..Status::default() };
        let text = status_text(&status);
        assert!(text.starts_with("state       publishing\n"), "{text}");
        assert!(!text.contains("intents") && !text.contains("dry run"), "{text}");
        status.role = Role::Agents;
        assert!(status_text(&status).contains("dry run"));
    }

    #[test]
    fn cash_is_told_by_shard() {
        let dollars = hotpit_units::Dollars::from_dollars;
        let mut desk = Report { cash: dollars(12), ..Report::default() };
        assert_eq!(cash(&desk), "12.000000");
        for (shard, cash, free) in [(0, 10, 7), (3, 2, 2)] {
            let (cash, free) = (dollars(cash), dollars(free));
            desk.shards.push(ShardLine { shard, cash, free });
        }
        let expected = "12.000000 (shard 0: 10.000000, 7.000000 free; \
                        shard 3: 2.000000, 2.000000 free)";
        assert_eq!(cash(&desk), expected);
    }

    async fn serve(folder: &Path, host: Host) -> (Server, Arc<Host>) {
        let host = Arc::new(host);
        let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let settings = Settings { bind, timeout_ms: 50, ..Settings::default() };
        let port = Bound::take(&settings).await.unwrap();
        let server = Server::start(port, folder, &Entropy::os(), Arc::clone(&host));
        (server.unwrap(), host)
    }

    #[tokio::test]
    async fn a_running_host_is_found_asked_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let (server, host) = serve(folder.path(), Host::default()).await;
        let client = Client::new(folder.path()).unwrap();
        let status: Status = client.get("/status").await.unwrap();
        assert_eq!(status.events, 7);
        let halt = |agent: Option<&str>, reason: Option<&str>| Request::Halt {
            agent: agent.map(str::to_owned),
            reason: reason.map(str::to_owned),
            reducing: false,
            json: false,
        };
        ask(&client, halt(None, Some("lunch"))).await.unwrap();
        ask(&client, halt(Some("maker"), None)).await.unwrap();
        ask(&client, Request::Resume { agent: None, json: true }).await.unwrap();
        let refused = ask(&client, halt(Some("nobody"), None)).await.unwrap_err();
        assert_eq!(refused.to_string(), "the host says: no agent `nobody`");
        let told = host.told.lock().unwrap().clone();
        assert_eq!(
            told,
            [
                "halt None lunch",
                "halt Some(AgentId(\"maker\")) an operator said so",
                "resume None",
                "halt Some(AgentId(\"nobody\")) an operator said so",
            ]
        );
        server.stop().await;
        let error = Client::new(folder.path()).err().unwrap().to_string();
        assert!(error.starts_with("no hotpit is running with the state folder"), "{error}");
        let gone: anyhow::Result<Status> = client.get("/status").await;
        let error = gone.unwrap_err().to_string();
        assert!(error.starts_with("no hotpit is running with the state folder"), "{error}");
    }

    #[tokio::test]
    async fn a_desk_that_is_stuck_is_reported_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let (server, _) = serve(folder.path(), Host { stuck: true, ..Host::default() }).await;
        let client = Client::new(folder.path()).unwrap();
        let answer: anyhow::Result<Status> = client.get("/status").await;
        let error = answer.unwrap_err().to_string();
        assert_eq!(error, "the host says: the desk does not answer in time");
        server.stop().await;
    }

    #[tokio::test]
    async fn what_changes_something_needs_the_token_and_what_is_misspelled_does_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (server, host) = serve(folder.path(), Host::default()).await;
        let url = |path| format!("http://{}{path}", server.address());
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let token = Endpoint::find(folder.path()).unwrap().token;

        for path in ["/halt", "/resume", "/log"] {
            let without = http.post(url(path)).send().await.unwrap();
            assert_eq!(without.status(), 401, "{path}");
        }
        let misspelled = http
            .post(url("/halt"))
            .bearer_auth(token.expose())
            .body(r#"{"agnet": "maker"}"#)
            .send()
            .await
            .unwrap();
        assert_eq!(misspelled.status(), 400);
        let other_name = http.get(url("/status")).header("host", "evil.example").send();
        assert_eq!(other_name.await.unwrap().status(), 403);
        assert_eq!(host.told.lock().unwrap().len(), 0);
        let empty = http.post(url("/halt")).bearer_auth(token.expose()).send().await.unwrap();
        assert_eq!(empty.status(), 200);
        assert_eq!(host.told.lock().unwrap().len(), 1);

        let health = http.get(url("/health")).send().await.unwrap();
        assert_eq!(health.status(), 200);
        let metrics = http.get(url("/metrics")).send().await.unwrap().text().await.unwrap();
        assert!(metrics.contains("\nhotpit_events_total 7\n"), "{metrics}");
        server.stop().await;
    }

    use crate::ops::Endpoint;

    #[test]
    fn orders_are_a_table() {
        let order = OrderLine {
            agent: None,
            client_order_id: Some("a-1".into()),
            ticker: "KX-1".into(),
            side: Side::Bid,
            price: Price::from_cents(55),
            quantity: Quantity::from_contracts(10),
            filled: Quantity::from_contracts(4),
            state: OrderState::PartlyFilled,
            created: Timestamp::from_secs(100),
        };
        assert_eq!(
            orders_text(&[order], Timestamp::from_secs(165)),
            "\
AGENT      MARKET  SIDE   PRICE  QUANTITY  FILLED  STATE            AGE  CLIENT ORDER ID
(outside)  KX-1    bid   0.5500     10.00    4.00  partly filled  1m 5s  a-1
"
        );
        assert_eq!(orders_text(&[], Timestamp::EPOCH), "no working orders\n");
    }
}
