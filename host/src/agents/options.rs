//! [`Options`]: the operator's settings for one agent, `<name>.toml` beside `<name>.wasm`. All of
//! it may be missing; all that is wrong is told at once.

use std::collections::BTreeMap;

use hotpit_units::{Dollars, Quantity};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::settings::Budget;
use crate::desk::AgentLimits;
use crate::model::{League, Subscription};

/// What the operator says of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether it is to run.
    pub enabled: bool,
    /// Whether its orders may cost real money: where they would, it runs with this alone.
    pub live: bool,
    /// Values for the parameters of its manifest, as text.
    pub params: BTreeMap<String, String>,
    /// What it follows; none: what its manifest says.
    pub subscriptions: Option<Vec<Subscription>>,
    /// What it may do at the desk.
    pub limits: AgentLimits,
    /// What it may use of the host.
    pub budget: Budget,
}

impl Options {
    /// The options of an agent without a file of its own.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            enabled: true,
            live: false,
            params: BTreeMap::new(),
            subscriptions: None,
            limits: AgentLimits::default(),
            budget,
        }
    }

    /// Reads the text of an agent's settings. `budget` is the host's default.
    ///
    /// # Errors
    /// All problems, each naming its key.
    pub fn parse(text: &str, budget: Budget) -> Result<Self, Vec<String>> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            // The parser points into the text over several lines; the first says what is wrong.
            vec![error.to_string().trim_end().replace('\n', " ")]
        })?;
        let mut problems = vec![];
        let mut top = Section { path: "", table, problems: &mut problems, known: vec![] };
        let mut options = Self::new(budget);
        options.enabled = top.take("enabled").unwrap_or(true);
        options.live = top.take("live").unwrap_or(false);
        let markets = top.names("markets", Subscription::Market);
        let events = top.names("events", Subscription::Event);
        let series = top.names("series", Subscription::Series);
        let leagues = top.names("leagues", |league| Subscription::League(League(league)));
        if [&markets, &events, &series, &leagues].iter().any(|names| names.is_some()) {
            let named = [markets, events, series, leagues];
            options.subscriptions = Some(named.into_iter().flatten().flatten().collect());
        }
        let params: Table = top.take("params").unwrap_or_default();
        let limits: Table = top.take("limits").unwrap_or_default();
        let on: Table = top.take("on").unwrap_or_default();
        top.finish();
        for (name, value) in params {
            match as_text(&value) {
                Some(text) => {
                    options.params.insert(name, text);
                }
                None => problems.push(format!("params.{name}: must be a text, number or boolean")),
            }
        }
        let section =
            Section { path: "limits.", table: limits, problems: &mut problems, known: vec![] };
        options.limits(section);
        let section = Section { path: "on.", table: on, problems: &mut problems, known: vec![] };
        options.on_trouble(section);
        options.budget.validate("limits", &mut problems);
        if problems.is_empty() { Ok(options) } else { Err(problems) }
    }

    fn limits(&mut self, mut section: Section<'_>) {
        let limits = &mut self.limits;
        limits.position_per_market = section.amount("position_contracts", Quantity::is_negative);
        limits.exposure = section.amount("exposure_dollars", Dollars::is_negative);
        limits.order_quantity = section.amount("order_contracts", Quantity::is_negative);
        limits.orders_per_second = section.take("orders_per_second");
        let budget = &mut self.budget;
        section.set("memory_mib", &mut budget.memory_mib);
        section.set("batch_ms", &mut budget.batch_ms);
        section.set("start_ms", &mut budget.start_ms);
        section.set("save_ms", &mut budget.save_ms);
        section.set("actions_per_batch", &mut budget.actions_per_batch);
        section.set("actions_per_second", &mut budget.actions_per_second);
        section.set("log_lines_per_second", &mut budget.log_lines_per_second);
        section.finish();
    }
}

impl Options {
    fn on_trouble(&mut self, mut section: Section<'_>) {
        let on = &mut self.limits.on;
        section.set("disconnect", &mut on.disconnect);
        section.set("shutdown", &mut on.shutdown);
        section.set("stop", &mut on.stop);
        section.set("pause", &mut on.pause);
        section.finish();
    }
}

/// Whether the text switches its agent off, whatever else it says.
pub(crate) fn is_off(text: &str) -> bool {
    let table = text.parse::<Table>();
    table.is_ok_and(|table| table.get("enabled") == Some(&Value::Boolean(false)))
}

/// A table that is read key by key, so that one wrong key hides no other.
struct Section<'a> {
    path: &'static str,
    table: Table,
    problems: &'a mut Vec<String>,
    known: Vec<&'static str>,
}

impl Section<'_> {
    fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        match value.try_into() {
            Ok(value) => Some(value),
            Err(error) => {
                let error = error.to_string();
                self.problems.push(format!("{}{key}: {}", self.path, error.trim_end()));
                None
            }
        }
    }

    fn set<T: DeserializeOwned>(&mut self, key: &'static str, place: &mut T) {
        if let Some(value) = self.take(key) {
            *place = value;
        }
    }

    fn amount<T: DeserializeOwned + Copy>(
        &mut self,
        key: &'static str,
        is_negative: impl Fn(T) -> bool,
    ) -> Option<T> {
        let amount = self.take(key)?;
        if is_negative(amount) {
            self.problems.push(format!("{}{key}: must not be negative", self.path));
        }
        Some(amount)
    }

    fn names(
        &mut self,
        key: &'static str,
        subscription: impl Fn(std::sync::Arc<str>) -> Subscription,
    ) -> Option<Vec<Subscription>> {
        let names: Vec<String> = self.take(key)?;
        if names.iter().any(|name| name.trim().is_empty()) {
            self.problems.push(format!("{}{key}: a name is empty", self.path));
        }
        Some(names.into_iter().map(|name| subscription(name.into())).collect())
    }

    fn finish(self) {
        for key in self.table.keys() {
            let known = self.known.join(", ");
            self.problems.push(format!("{}{key}: no such key; known are {known}", self.path));
        }
    }
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(time) => Some(time.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::{Leave, OnTrouble};

    #[test]
    fn everything_that_may_be_said_is_read() {
        let options = Options::parse(
            r#"
            enabled = false
            live = true
            markets = ["KX-1"]
            leagues = ["nfl"]
            [params]
            edge = 0.02
            name = "x"
            size = 5
            [limits]
            position_contracts = 12.5
            exposure_dollars = "100"
            order_contracts = 3
            orders_per_second = 7
            memory_mib = 128
            actions_per_second = 50
            [on]
            disconnect = "keep"
            "#,
            Budget::default(),
        )
        .unwrap();
        assert!(!options.enabled);
        assert!(options.live);
        let on = OnTrouble { disconnect: Leave::Keep, ..OnTrouble::default() };
        assert_eq!(options.limits.on, on);
        assert_eq!(
            options.subscriptions,
            Some(vec![
                Subscription::Market("KX-1".into()),
                Subscription::League(League("nfl".into()))
            ])
        );
        assert_eq!(options.params["edge"], "0.02");
        assert_eq!(options.params["size"], "5");
        assert_eq!(options.limits.position_per_market, Some(Quantity::from_raw(1_250)));
        assert_eq!(options.limits.exposure, Some(Dollars::from_dollars(100)));
        assert_eq!(options.limits.orders_per_second, Some(7));
        let budget = Budget { memory_mib: 128, actions_per_second: 50, ..Budget::default() };
        assert_eq!(options.budget, budget);
    }

    #[test]
    fn an_agent_is_off_whatever_else_is_wrong() {
        assert!(is_off("enabled = false\nlimts = 3"));
        for on in ["", "enabled = true", "enabled = 0", "enabled = false\n[limits"] {
            assert!(!is_off(on), "{on}");
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
        let budget = Budget::default();
        assert_eq!(Options::parse("", budget), Ok(Options::new(budget)));
    }

    #[test]
    fn all_problems_are_told_at_once_with_their_keys() {
        let problems = Options::parse(
            r#"
            enabled = "yes"
            tickers = ["KX-1"]
            markets = [""]
            [params]
            list = [1]
            [limits]
            exposure_dollars = -1
            memory_mib = 0
            actions_per_second = 0
            exposure = 3
            "#,
            Budget::default(),
        )
        .unwrap_err();
        let expected = [
            "enabled: invalid type",
            "markets: a name is empty",
            "tickers: no such key; known are enabled, live, markets, events, series, leagues, params",
            "params.list: must be",
            "limits.exposure_dollars: must not be negative",
            "limits.exposure: no such key; known are position_contracts",
            "limits.memory_mib is 0",
            "limits.actions_per_second is 0",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} is not {expected}");
        }
    }

    #[test]
    fn text_that_is_no_toml_is_one_problem_on_one_line() {
        let problems = Options::parse("a = = 1", Budget::default()).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(!problems[0].contains('\n'), "{problems:?}");
    }
}
