//! Query strings and pages.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use super::super::errors::ApiError;

/// The pairs of a query string, in order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|_| ApiError::bad_query("query string cannot be read"))
    }
}

impl Params {
    /// A parameter that is there and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All values of a parameter that may come more than once.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = move |(key, value): &&(String, String)| key == name && !value.is_empty();
        self.0.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a list with commas.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        self.text(name).map(|text| text.split(',').collect())
    }

    /// A parameter that is a number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| ApiError::bad_query(format!("{name} is not a number")))
        };
        self.text(name).map(parse).transpose()
    }

    /// `subaccount`: the number of one account of the key.
    pub(super) fn subaccount(&self) -> Result<Option<u8>, ApiError> {
        let read = |number| {
            u8::try_from(number).map_err(|_| ApiError::bad_query("subaccount is out of range"))
        };
        self.number("subaccount")?.map(read).transpose()
    }

    /// A parameter that is `true` or `false`; false when it is not there.
    pub(super) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ApiError::bad_query(format!("{name} is not a boolean"))),
        }
    }

    /// Which page of a listing is asked for.
    pub(super) fn page(&self, default: usize, max: usize) -> Result<Page, ApiError> {
        let limit = match self.number("limit")? {
            None => default,
            Some(limit) => usize::try_from(limit)
                .ok()
                .filter(|limit| (1..=max).contains(limit))
                .ok_or_else(|| ApiError::bad_query(format!("limit is not between 1 and {max}")))?,
        };
        let after = self.text("cursor").map(decode_cursor).transpose()?;
        Ok(Page { limit, after })
    }
}

fn decode_cursor(cursor: &str) -> Result<String, ApiError> {
    let bytes = BASE64.decode(cursor).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| ApiError::bad_query("cursor is invalid"))
}

/// A page: what follows the item `after`, at most `limit` items.
#[derive(Debug, Clone)]
pub(super) struct Page {
    limit: usize,
    after: Option<String>,
}

impl Page {
    /// The items of the page and the cursor to the next one, empty if there is none. A cursor
    /// names the last item of its page, so that what comes in front meanwhile (listings start
    /// with the newest) moves nothing.
    pub(super) fn cut<T>(
        &self,
        items: impl Iterator<Item = T>,
        id: impl Fn(&T) -> String,
        write: impl Fn(T) -> Value,
    ) -> (Vec<Value>, String) {
        let mut items = items;
        if let Some(after) = &self.after {
            // The item the cursor names is taken too.
            items.by_ref().find(|item| id(item) == *after);
        }
        let mut last = String::new();
        let mut page = Vec::new();
        for item in items.by_ref().take(self.limit) {
            last = id(&item);
            page.push(write(item));
        }
        let more = page.len() == self.limit && items.next().is_some();
        (page, if more { BASE64.encode(last) } else { String::new() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pages_cover_everything_once_also_when_items_come_in_front() {
        let mut page = Page { limit: 3, after: None };
        let mut items: Vec<u32> = (0..8).rev().collect();
        let mut seen = Vec::new();
        loop {
            let (values, cursor) =
                page.cut(items.iter().copied(), ToString::to_string, |item| json!(item));
            seen.extend(values);
            if cursor.is_empty() {
                break;
            }
            page.after = Some(decode_cursor(&cursor).unwrap());
            items.insert(0, items[0] + 1);
        }
        assert_eq!(seen, (0..8).rev().map(|item| json!(item)).collect::<Vec<_>>());
    }

    #[test]
    fn a_page_that_ends_with_the_listing_has_no_cursor() {
        let page = Page { limit: 3, after: None };
        let (values, cursor) = page.cut(0..3, ToString::to_string, |item: i32| json!(item));
        assert_eq!((values.len(), cursor.as_str()), (3, ""));
    }
}
