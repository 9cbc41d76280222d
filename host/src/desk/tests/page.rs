//! The page for users says what the code does.

use crate::config::DEFAULT_FILE;
use crate::desk::table::{Event, Progress, next};
use crate::model::OrderState;

const PAGE: &str = include_str!("../../../ORDERS.md");

#[test]
fn the_table_of_states_is_that_of_the_code() {
    let states = [
        (OrderState::Sent, "sent"),
        (OrderState::Unknown, "unknown"),
        (OrderState::Resting, "resting"),
        (OrderState::PartlyFilled, "partly_filled"),
        (OrderState::Filled, "filled"),
        (OrderState::Canceled, "canceled"),
        (OrderState::Expired, "expired"),
        (OrderState::Rejected, "rejected"),
        (OrderState::Denied, "denied"),
    ];
    let events = [
        Event::Acknowledged,
        Event::Canceled,
        Event::Expired,
        Event::Executed,
        Event::Refused,
        Event::NotSent,
        Event::Lost,
        Event::Filled,
        Event::Absent,
    ];
    let word = |state| states.iter().find(|(known, _)| *known == state).unwrap().1;
    for (state, name) in states {
        let cells = events.map(|event| {
            let after = [Progress::None, Progress::Part, Progress::All]
                .map(|progress| next(state, event, progress).map_or("error", word));
            let is_one = after.iter().all(|it| *it == after[0]);
            if is_one { after[0].to_owned() } else { after.join(", ") }
        });
        let row = format!("| {name} | {} |", cells.join(" | "));
        assert!(PAGE.contains(&row), "{row}");
    }
    let head = events.map(Event::as_str).join(" | ");
    assert!(PAGE.contains(&format!("| state | {head} |")), "{head}");
}

#[test]
fn every_code_and_every_limit_is_on_it_with_its_default() {
    let denials = include_str!("../risk/denial.rs");
    let codes = denials.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next());
    let codes: Vec<_> =
        codes.filter(|code| code.chars().all(|it| it.is_ascii_uppercase() || it == '_')).collect();
    assert!(codes.len() > 25, "{codes:?}");
    for code in codes {
        assert!(PAGE.contains(&format!("`{code}`")), "{code}");
    }
    let limits = DEFAULT_FILE.split("[desk.limits]").nth(1).unwrap().split("\n[").next().unwrap();
    let limits = limits.lines().filter(|line| !line.starts_with('#') && line.contains(" = "));
    for limit in limits {
        assert!(PAGE.contains(&format!("`{limit}`")), "{limit}");
    }
}

#[test]
fn every_test_that_it_names_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = PAGE.split('`').filter(|text| text.ends_with(".rs"));
    for file in named {
        let is_there = root.join(file).is_file() || root.join("src").join(file).is_file();
        assert!(is_there, "{file}");
    }
}
