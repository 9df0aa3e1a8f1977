//! Query parameters.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use postrider_control::{Cursor, Order};
use postrider_domain::id::InvalidId;
use postrider_domain::timestamp::Timestamp;

use crate::cursor::Place;
use crate::duration_json;
use crate::error::{ApiError, ApiResult};

/// `skip + limit` ends here; further on a cursor leads (DESIGN §5).
const DEEPEST: usize = 10_000;
/// Longest value of any parameter, of a text to compare with, and of a duration, in bytes.
const LONGEST: usize = 1_024;
const LONGEST_NAME: usize = 256;
const LONGEST_WAIT: usize = 32;

/// The parameters of a request, in order.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

/// How far to skip and how much to show.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub(crate) skip: usize,
    pub(crate) limit: usize,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
            ApiError::bad_request("the query string cannot be read; percent-encode its values")
        })?;
        for (name, value) in &query.0 {
            let name = || name.chars().take(64).collect::<String>();
            if value.is_empty() {
                // Mostly a variable that was not filled in: taken as absent, it would be a filter that does not filter.
                let fix = "give one, or leave the parameter out";
                return Err(ApiError::bad_query(&name(), "it has no value", fix));
            }
            if value.len() > LONGEST {
                return Err(ApiError::bad_query(&name(), "it is longer than 1024 bytes", "give less"));
            }
        }
        Ok(Self(query.0))
    }
}

impl Params {
    /// The first value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A text to compare with.
    pub(crate) fn text(&self, name: &str) -> ApiResult<Option<String>> {
        match self.get(name) {
            Some(text) if text.len() > LONGEST_NAME => Err(ApiError::bad_query(
                name,
                "it is longer than 256 bytes",
                "give the name of a type or an action",
            )),
            text => Ok(text.map(str::to_owned)),
        }
    }

    /// A whole number; one beyond what can be counted is the largest that can.
    fn number(&self, name: &str) -> ApiResult<Option<usize>> {
        let read = |text: &str| match text.parse() {
            Ok(number) => Ok(number),
            Err(_) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(usize::MAX),
            Err(_) => Err(ApiError::bad_query(name, "it is no whole number", "give 0 or more")),
        };
        self.get(name).map(read).transpose()
    }

    /// The names that are not among these, each once and shortened.
    fn unknown(&self, known: &[&str]) -> Vec<String> {
        let foreign = self.0.iter().map(|(name, _)| name).filter(|name| !known.contains(&name.as_str()));
        let mut names: Vec<String> = foreign.map(|name| name.chars().take(64).collect()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// For Contentful's lists: what is ignored, to be said in a `Warning` each. At most ten are named.
    pub(crate) fn ignored(&self, known: &[&str]) -> Vec<String> {
        let unknown = self.unknown(known);
        unknown.iter().take(10).map(|name| format!("ignored: the query parameter {name}")).collect()
    }

    /// For our own lists: what is not known is refused, since it would be a filter that does not filter.
    pub(crate) fn refuse_unknown(&self, known: &[&str]) -> ApiResult<()> {
        match self.unknown(known).first() {
            None => Ok(()),
            Some(name) => {
                let fix = format!("use {}", known.join(", "));
                Err(ApiError::bad_query(name, "there is no such parameter", &fix))
            }
        }
    }

    /// `skip` and `limit`; a limit above `most` shows `most`.
    pub(crate) fn paging(&self, default: usize, most: usize) -> ApiResult<Paging> {
        let skip = self.number("skip")?.unwrap_or(0);
        let limit = self.number("limit")?.unwrap_or(default).clamp(1, most);
        if skip.saturating_add(limit) > DEEPEST {
            let problem = "skip + limit is above 10000";
            return Err(ApiError::bad_query(
                "skip",
                problem,
                "narrow the list, or follow `pages.next` with `cursor`",
            ));
        }
        Ok(Paging { skip, limit })
    }

    /// `limit` of a list that has a `cursor` and nothing else.
    pub(crate) fn only_cursor(&self, default: usize, most: usize) -> ApiResult<usize> {
        self.refuse_unknown(&["cursor", "limit"])?;
        Ok(self.number("limit")?.unwrap_or(default).clamp(1, most))
    }

    pub(crate) fn instant(&self, name: &str) -> ApiResult<Option<Timestamp>> {
        let read = |text: &str| {
            Timestamp::parse(text).map_err(|error| {
                ApiError::bad_query(name, &error.to_string(), "give an instant with its offset")
            })
        };
        self.get(name).map(read).transpose()
    }

    pub(crate) fn id<T>(
        &self,
        name: &str,
        new: impl Fn(&str) -> Result<T, InvalidId>,
    ) -> ApiResult<Option<T>> {
        let read =
            |text| new(text).map_err(|error| ApiError::bad_query(name, &error.to_string(), "give an id"));
        self.get(name).map(read).transpose()
    }

    /// How long to wait for something new.
    pub(crate) fn wait(&self) -> ApiResult<Duration> {
        let Some(text) = self.get("wait") else { return Ok(Duration::ZERO) };
        let value = text.parse::<f64>().map_or_else(|_| text.into(), serde_json::Value::from);
        duration_json::read(&value)
            .filter(|_| text.len() <= LONGEST_WAIT)
            .ok_or_else(|| ApiError::bad_query("wait", "it is no duration", "give 0 to 25 seconds"))
    }

    /// `cursor`.
    pub(crate) fn place(&self) -> ApiResult<Option<Place>> {
        let read = |text| {
            let fix = "hand back what `pages` gave, unchanged";
            Place::read(text)
                .ok_or_else(|| ApiError::bad_query("cursor", "it is no cursor of this list", fix))
        };
        self.get("cursor").map(read).transpose()
    }

    /// `cursor` of a list that cannot be followed.
    pub(crate) fn older(&self) -> ApiResult<Option<Cursor>> {
        match self.place()? {
            None => Ok(None),
            Some(Place::After(Order::Newest, cursor)) => Ok(Some(cursor)),
            Some(Place::After(..)) => Err(foreign_cursor()),
            Some(Place::Newer(_)) => {
                let fix = "follow /spaces/{space}/calls instead";
                Err(ApiError::bad_query("cursor", "this list cannot be followed", fix))
            }
        }
    }
}

/// A cursor of something else.
pub(crate) fn foreign_cursor() -> ApiError {
    let fix = "leave `order` as it was, or begin again without `cursor`";
    ApiError::bad_query("cursor", "it is a cursor of another list or order", fix)
}
