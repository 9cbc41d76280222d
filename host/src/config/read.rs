//! Reads a TOML text into a configuration and finds everything that is wrong with it.
//!
//! Serde stops at the first mistake. Every section here has a default for every key, though, so
//! that a document with one key alone is a valid one: each key is read by itself, and what
//! serde says of it is a statement about that key.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// Reads `text`. The value is missing where the text is not TOML; otherwise it is made of every
/// key that is right.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> (Option<T>, Vec<String>) {
    let (mut document, mut errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        return (None, errors.iter().map(|error| describe(text, "", error)).collect());
    }
    let mut found = Vec::new();
    keep_what_is_right::<T>(document.get_mut(), &mut Vec::new(), &mut found);
    // Tables iterate by name; people read from the top.
    found.sort_by_key(|problem| problem.start);
    let mut problems: Vec<String> =
        found.iter().map(|problem| describe(text, &problem.key, &problem.error)).collect();
    match T::deserialize(Deserializer::from(document)) {
        Ok(value) => (Some(value), problems),
        Err(error) => {
            problems.push(describe(text, "", &error));
            (None, problems)
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
fn describe(text: &str, key: &str, error: &toml::de::Error) -> String {
    let message = error.message().replace("unknown field", "unknown key").replace('\n', " ");
    let line = error.span().map_or(String::new(), |span| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        format!("line {}: ", 1 + before.iter().filter(|byte| **byte == b'\n').count())
    });
    if key.is_empty() { format!("{line}{message}") } else { format!("{line}{key}: {message}") }
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
