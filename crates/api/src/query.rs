//! Query parameters.

use std::time::Duration;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use postrider_control::LogQuery;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, InvalidId, WebhookId};
use postrider_domain::timestamp::Timestamp;

use crate::cursor::Place;
use crate::duration_json;
use crate::error::{ApiError, ApiResult};

/// `skip + limit` ends here; further on a cursor leads (DESIGN §5).
const DEEPEST: usize = 10_000;
/// What our own lists may be narrowed by.
const FILTERS: &str =
    "webhook, environment, event, type, action, state, status, from, to, cursor, skip, limit, wait";

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
        Ok(Self(query.0))
    }
}

impl Params {
    /// The first value of a name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> ApiResult<Option<usize>> {
        let read = |text: &str| {
            text.parse().map_err(|_| ApiError::bad_query(name, "it is no whole number", "give 0 or more"))
        };
        self.get(name).map(read).transpose()
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
        let known = ["cursor", "limit"];
        if let Some((unknown, _)) = self.0.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            let unknown: String = unknown.chars().take(64).collect();
            let fix = format!("use {}", known.join(", "));
            return Err(ApiError::bad_query(&unknown, "there is no such parameter", &fix));
        }
        Ok(self.number("limit")?.unwrap_or(default).clamp(1, most))
    }

    fn instant(&self, name: &str) -> ApiResult<Option<Timestamp>> {
        let read = |text: &str| {
            Timestamp::parse(text).map_err(|error| {
                ApiError::bad_query(name, &error.to_string(), "give an instant with its offset")
            })
        };
        self.get(name).map(read).transpose()
    }

    fn id<T>(&self, name: &str, new: impl Fn(&str) -> Result<T, InvalidId>) -> ApiResult<Option<T>> {
        let read =
            |text| new(text).map_err(|error| ApiError::bad_query(name, &error.to_string(), "give an id"));
        self.get(name).map(read).transpose()
    }

    /// How long to wait for something new.
    pub(crate) fn wait(&self) -> ApiResult<Duration> {
        let Some(text) = self.get("wait") else { return Ok(Duration::ZERO) };
        let value = text.parse::<f64>().map_or_else(|_| text.into(), serde_json::Value::from);
        duration_json::read(&value)
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

    /// What one of our own lists is narrowed by, and where it goes on. A parameter that is not known is refused: it would
    /// be a filter that does not filter.
    pub(crate) fn log_query(&self, default: usize, most: usize) -> ApiResult<(LogQuery, Option<Place>)> {
        if let Some((unknown, _)) =
            self.0.iter().find(|(key, _)| !FILTERS.split(", ").any(|known| known == key))
        {
            let unknown: String = unknown.chars().take(64).collect();
            let fix = format!("use {FILTERS}");
            return Err(ApiError::bad_query(&unknown, "there is no such parameter", &fix));
        }
        let state = |text| {
            let known = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
            let fix = format!("use one of {known}");
            DeliveryState::parse(text)
                .ok_or_else(|| ApiError::bad_query("state", "there is no such state", &fix))
        };
        let paging = self.paging(default, most)?;
        let place = self.place()?;
        let cursor = match &place {
            Some(Place::Older(cursor)) => Some(cursor.clone()),
            _ => None,
        };
        let query = LogQuery {
            webhook: self.id("webhook", WebhookId::new)?,
            environment: self.id("environment", EnvironmentId::new)?,
            event: self.id("event", EventId::new)?,
            event_type: self.get("type").map(str::to_owned),
            action: self.get("action").map(str::to_owned),
            // `status` says the same (DESIGN §4.3 names it so).
            state: self.get("state").or_else(|| self.get("status")).map(state).transpose()?,
            from: self.instant("from")?,
            to: self.instant("to")?,
            skip: if cursor.is_some() { 0 } else { paging.skip },
            cursor,
            limit: paging.limit,
        };
        Ok((query, place))
    }
}
