//! What lists of calls and deliveries are narrowed by, and in which order they come.

use postrider_control::{Cursor, LogQuery, Order};
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{EnvironmentId, EventId, WebhookId};

use crate::cursor::Place;
use crate::error::{ApiError, ApiResult};
use crate::query::{Params, foreign_cursor};

/// What our own lists may be narrowed by.
const FILTERS: [&str; 13] = [
    "webhook",
    "environment",
    "event",
    "type",
    "action",
    "state",
    "status",
    "from",
    "to",
    "cursor",
    "skip",
    "limit",
    "wait",
];

/// What deliveries may be narrowed and ordered by beyond that.
const FILTERS_OF_DELIVERIES: [&str; 3] = ["nextAttemptFrom", "nextAttemptTo", "order"];

/// The orders of deliveries, as Contentful writes orders.
const ORDERS: [(&str, Order); 4] = [
    ("-sys.updatedAt", Order::Newest),
    ("sys.updatedAt", Order::Oldest),
    ("nextAt", Order::Soonest),
    ("-nextAt", Order::Latest),
];

impl Params {
    /// What a list of calls is narrowed by, and where it goes on. A parameter that is not known is refused.
    pub(crate) fn calls_query(&self, default: usize, most: usize) -> ApiResult<(LogQuery, Option<Place>)> {
        self.refuse_unknown(&FILTERS)?;
        let place = self.place()?;
        let cursor = match &place {
            Some(Place::After(Order::Newest, cursor)) => Some(cursor.clone()),
            Some(Place::After(..)) => return Err(foreign_cursor()),
            Some(Place::Newer(_)) | None => None,
        };
        let query = LogQuery {
            // `status` says the same (DESIGN §4.3 names it so).
            state: self.state("state")?.or(self.state("status")?),
            ..self.narrowed(cursor, (default, most))?
        };
        Ok((query, place))
    }

    /// What a list of deliveries is narrowed by, in which order, and where it goes on.
    pub(crate) fn deliveries_query(&self, default: usize, most: usize) -> ApiResult<LogQuery> {
        let known: Vec<&str> = FILTERS.into_iter().chain(FILTERS_OF_DELIVERIES).collect();
        self.refuse_unknown(&known)?;
        let asked = self.get("order").map(order).transpose()?;
        let (next_from, next_to) = (self.instant("nextAttemptFrom")?, self.instant("nextAttemptTo")?);
        let by_next = next_from.is_some() || next_to.is_some();
        let (cursor, cursors) = match self.place()? {
            None => (None, None),
            Some(Place::After(order, cursor)) => (Some(cursor), Some(order)),
            Some(Place::Newer(_)) => {
                let fix = "follow /spaces/{space}/calls instead";
                return Err(ApiError::bad_query("cursor", "deliveries cannot be followed", fix));
            }
        };
        if cursors.is_some_and(|cursors| asked.is_some_and(|asked| asked != cursors)) {
            return Err(foreign_cursor());
        }
        let unless_asked = if by_next { Order::Soonest } else { Order::Newest };
        let order = cursors.or(asked).unwrap_or(unless_asked);
        if by_next && !order.is_by_next_attempt() {
            let problem = "what has a next attempt is in order by it";
            return Err(ApiError::bad_query("order", problem, "use nextAt or -nextAt, or leave it out"));
        }
        let status = self.get("status").map(status).transpose()?;
        let state = self.state("state")?;
        if let (Some(state), Some((other, _))) = (state, status)
            && state != other
        {
            let problem = format!("no delivery in the state {} stands so", state.as_str());
            return Err(ApiError::bad_query("status", &problem, "give one of the two"));
        }
        Ok(LogQuery {
            state: state.or(status.map(|(state, _)| state)),
            tried: status.and_then(|(_, tried)| tried),
            next_from,
            next_to,
            order,
            ..self.narrowed(cursor, (default, most))?
        })
    }

    /// What all lists of the log can be narrowed by.
    fn narrowed(&self, cursor: Option<Cursor>, (default, most): (usize, usize)) -> ApiResult<LogQuery> {
        let paging = self.paging(default, most)?;
        Ok(LogQuery {
            webhook: self.id("webhook", WebhookId::new)?,
            environment: self.id("environment", EnvironmentId::new)?,
            event: self.id("event", EventId::new)?,
            event_type: self.text("type")?,
            action: self.text("action")?,
            from: self.instant("from")?,
            to: self.instant("to")?,
            skip: if cursor.is_some() { 0 } else { paging.skip },
            cursor,
            limit: paging.limit,
            ..LogQuery::default()
        })
    }

    /// A state by Postrider's word for it.
    fn state(&self, name: &str) -> ApiResult<Option<DeliveryState>> {
        let read = |text| {
            let known = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
            let fix = format!("use one of {known}");
            DeliveryState::parse(text)
                .ok_or_else(|| ApiError::bad_query(name, "there is no such state", &fix))
        };
        self.get(name).map(read).transpose()
    }
}

/// An order of deliveries by its name.
fn order(name: &str) -> ApiResult<Order> {
    let found = ORDERS.iter().find(|(one, _)| *one == name).map(|(_, order)| *order);
    found.ok_or_else(|| {
        let fix = format!("use one of {}", ORDERS.map(|(name, _)| name).join(", "));
        ApiError::bad_query("order", "there is no such order", &fix)
    })
}

/// A status in DatoCMS's words or ours: the state, and whether an attempt was made.
fn status(text: &str) -> ApiResult<(DeliveryState, Option<bool>)> {
    let read = match text {
        "pending" => Some((DeliveryState::Pending, Some(false))),
        "rescheduled" => Some((DeliveryState::Pending, Some(true))),
        "success" => Some((DeliveryState::Delivered, None)),
        "failed" => Some((DeliveryState::GivenUp, None)),
        own => DeliveryState::parse(own).map(|state| (state, None)),
    };
    read.ok_or_else(|| {
        let own = DeliveryState::ALL.map(DeliveryState::as_str).join(", ");
        let fix = format!("use one of pending, rescheduled, success, failed, {own}");
        ApiError::bad_query("status", "there is no such status", &fix)
    })
}
