//! Reads a TOML text into a configuration and finds everything that is wrong with it.
//!
//! Serde stops at the first mistake. Every section here has a default for every key, though, so
//! that a document with one key alone is a valid one: each key is read by itself, and what
//! serde says of it is a statement about that key.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::environment::Overrides;

/// Reads the text of the file `name` and what variables set over it. The value is missing where the
/// text is not TOML; otherwise it is made of every key that is right.
pub(super) fn read<T: DeserializeOwned>(
    text: &str,
    name: &str,
    overrides: &Overrides,
) -> (Option<T>, Vec<String>) {
    let in_file = |line| format!("{name} line {line}").trim_start().to_owned();
    let over_text = overrides.text();
    let (document, mut problems) = keep::<T>(text, &in_file);
    problems.extend(overrides.problems.iter().cloned());
    let (over, wrong) = keep::<T>(&over_text, &|line| overrides.variable(line));
    problems.extend(wrong);
    let (Some(mut document), Some(over)) = (document, over) else { return (None, problems) };
    merge(document.get_mut(), over.into_inner());
    match T::deserialize(Deserializer::from(document)) {
        Ok(value) => (Some(value), problems),
        Err(error) => {
            problems.push(plain(&error));
            (None, problems)
        }
    }
}

/// Where a line of a text stands, to be told.
type Place<'a> = &'a dyn Fn(usize) -> String;

/// The document without each key that is wrong, and what is wrong with those. None: it is not TOML.
fn keep<'i, T: DeserializeOwned>(
    text: &'i str,
    place: Place<'_>,
) -> (Option<Spanned<DeTable<'i>>>, Vec<String>) {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        return (None, errors.iter().map(|error| describe(text, place, "", error)).collect());
    }
    let mut found = Vec::new();
    keep_what_is_right::<T>(document.get_mut(), &mut Vec::new(), &mut found);
    // Tables iterate by name; people read from the top.
    found.sort_by_key(|problem| problem.start);
    let told = found.iter().map(|it| describe(text, place, &it.key, &it.error)).collect();
    (Some(document), told)
}

/// Puts `over` over `base`, key by key.
fn merge<'i>(base: &mut DeTable<'i>, over: DeTable<'i>) {
    for (key, mut value) in over {
        if let DeValue::Table(over) = value.get_mut()
            && let Some(DeValue::Table(base)) = base.get_mut(&key).map(Spanned::get_mut)
        {
            merge(base, std::mem::take(over));
        } else {
            base.insert(key, value);
        }
    }
}

/// A key that is wrong.
struct Problem {
    key: String,
    start: usize,
    error: toml::de::Error,
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;

/// Removes each key that `T` does not accept from `table`, which stands at `path`.
fn keep_what_is_right<'i, T: DeserializeOwned>(
    table: &mut DeTable<'i>,
    path: &mut Vec<Key<'i>>,
    found: &mut Vec<Problem>,
) {
    for (key, mut value) in std::mem::take(table) {
        path.push(key.clone());
        let alone = match value.get_ref() {
            DeValue::Table(_) => Spanned::new(value.span(), DeValue::Table(DeTable::new())),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_) => value.clone(),
        };
        match T::deserialize(Deserializer::from(nested(path, alone))) {
            Ok(_) => {
                if let DeValue::Table(inner) = value.get_mut() {
                    keep_what_is_right::<T>(inner, path, found);
                }
                table.insert(key, value);
            }
            Err(error) => {
                let names: Vec<&str> = path.iter().map(|key| key.get_ref().as_ref()).collect();
                found.push(Problem { key: names.join("."), start: key.span().start, error });
            }
        }
        path.pop();
    }
}

/// A document with `value` at `path` and nothing else.
fn nested<'i>(path: &[Key<'i>], value: Spanned<DeValue<'i>>) -> Spanned<DeTable<'i>> {
    let Some((first, rest)) = path.split_first() else {
        return Spanned::new(0..0, DeTable::new());
    };
    let value = if rest.is_empty() {
        value
    } else {
        let inner = nested(rest, value);
        Spanned::new(inner.span(), DeValue::Table(inner.into_inner()))
    };
    let mut table = DeTable::new();
    table.insert(first.clone(), value);
    Spanned::new(first.span(), table)
}

/// `line 3: ops.bind: what is wrong`.
fn describe(text: &str, place: Place<'_>, key: &str, error: &toml::de::Error) -> String {
    let message = plain(error);
    let place = error.span().map_or(String::new(), |span| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        format!("{}: ", place(1 + before.iter().filter(|byte| **byte == b'\n').count()))
    });
    if key.is_empty() { format!("{place}{message}") } else { format!("{place}{key}: {message}") }
}

/// What is wrong, in our words and on one line.
fn plain(error: &toml::de::Error) -> String {
    error.message().replace("unknown field", "unknown key").replace('\n', " ")
}

/// Every key that stands in a text, also behind a `#` at the start of a line, where a key
/// without a default is shown.
#[cfg(test)]
pub(super) fn keys_of_text(text: &str) -> std::collections::BTreeSet<String> {
    let mut section = String::new();
    let mut keys = std::collections::BTreeSet::new();
    for line in text.lines() {
        let line = line.trim_start_matches("# ");
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = format!("{name}.");
            keys.insert(name.to_owned());
            keys.extend(name.match_indices('.').map(|(end, _)| name[..end].to_owned()));
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            keys.insert(format!("{section}{key}"));
        }
    }
    keys
}

/// Every key that `T` accepts, down to sections in sections: serde lists them when it meets one
/// that it does not know.
#[cfg(test)]
pub(super) fn keys_of<T: DeserializeOwned>() -> Vec<String> {
    fn below<T: DeserializeOwned>(section: &str, keys: &mut Vec<String>) {
        let probe = format!("{section}no_such_key = 0\n");
        let Err(error) = toml::from_str::<T>(&probe) else { return };
        let message = error.message().to_owned();
        let Some((_, expected)) = message.split_once("expected ") else { return };
        if !message.starts_with("unknown field `no_such_key`") {
            return;
        }
        for name in expected.split('`').skip(1).step_by(2) {
            let key = format!("{section}{name}");
            keys.push(key.clone());
            below::<T>(&format!("{key}."), keys);
        }
    }
    let mut keys = Vec::new();
    below::<T>("", &mut keys);
    keys
}
