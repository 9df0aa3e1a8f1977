//! Lists of the log: what they are narrowed by, page after page.

use std::collections::HashMap;

use clap::Args;
use serde_json::Value;
use serde_json::value::RawValue;

use super::when::When;
use crate::client::{Answer, Client, encode};
use crate::exit::{Code, Failure};
use crate::output::{line, line_if_read};

/// Items in a page when all are wanted: 50 calls of at most 700 kB each are 35 MB, and an answer of more than 64 MiB is not
/// read.
pub(super) const AT_ONCE: u16 = 50;

/// Which calls or deliveries.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Only those of this webhook
    #[arg(long, value_name = "ID", help_heading = "Narrow")]
    webhook: Option<String>,
    /// Only those of this event
    #[arg(long, value_name = "ID", help_heading = "Narrow")]
    event: Option<String>,
    /// Only those of events of this type, such as Entry
    #[arg(long = "type", value_name = "TYPE", help_heading = "Narrow")]
    event_type: Option<String>,
    /// Only those of events with this action, such as publish
    #[arg(long, value_name = "ACTION", help_heading = "Narrow")]
    action: Option<String>,
    /// Only from here on: so long ago (2h, 3days), a day, or an instant
    #[arg(long, value_name = "WHEN", value_parser = When::read, help_heading = "Narrow")]
    from: Option<When>,
    /// Only before: so long ago, a day, or an instant
    #[arg(long, value_name = "WHEN", value_parser = When::read, help_heading = "Narrow")]
    to: Option<When>,
}

/// Which part of a list.
#[derive(Debug, Args)]
pub(super) struct Part {
    /// How many at most; the server may give fewer at once
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "COUNT")]
    limit: u16,
    /// Where the page before ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// All of them, page after page
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// Parameters of a query, in order.
pub(super) type Query = Vec<(&'static str, String)>;

impl Which {
    /// The parameters; with the environment that was named.
    pub(super) fn query(&self, client: &Client, state: Option<&String>) -> Query {
        let instant = |when: Option<When>| when.map(|when| when.past().to_string());
        let given = [
            ("webhook", self.webhook.clone()),
            ("environment", client.environment().map(str::to_owned)),
            ("event", self.event.clone()),
            ("type", self.event_type.clone()),
            ("action", self.action.clone()),
            ("state", state.cloned()),
            ("from", instant(self.from)),
            ("to", instant(self.to)),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl Part {
    /// The answer to a list: one page as it came, or all pages as one list. `row` makes of each item what a person reads,
    /// and `shown` of all rows and the cursor of the next page what is printed.
    ///
    /// # Errors
    /// When the server does not answer, or not with a list.
    pub(super) async fn print<R>(
        &self,
        (client, path): (&Client, &str),
        query: Query,
        json: bool,
        row: impl Fn(&Value) -> R,
        shown: impl FnOnce(Vec<R>, Option<String>) -> String,
    ) -> anyhow::Result<()> {
        let limit = if self.all { AT_ONCE } else { self.limit };
        let mut pages = Pages { client, path, query, limit, next: self.cursor.clone(), over: false };
        if json && !self.all {
            let Some(page) = pages.next().await? else { return Ok(()) };
            line(&page.text);
            return Ok(());
        }
        if json {
            return pages.print_whole().await;
        }
        let mut rows = Vec::new();
        while let Some(page) = pages.next().await? {
            rows.extend(page.body["items"].as_array().into_iter().flatten().map(&row));
            if !self.all {
                break;
            }
        }
        line(&shown(rows, pages.next.take()));
        Ok(())
    }
}

/// The pages of a list, one after the other.
pub(super) struct Pages<'a> {
    /// Who is asked.
    pub(super) client: &'a Client,
    /// For what.
    pub(super) path: &'a str,
    /// Narrowed by.
    pub(super) query: Query,
    /// Items in a page.
    pub(super) limit: u16,
    /// The cursor of the next page.
    pub(super) next: Option<String>,
    /// There is none.
    pub(super) over: bool,
}

impl Pages<'_> {
    /// The next page; `None` after the last.
    ///
    /// # Errors
    /// When the server does not answer with one.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Answer>> {
        if self.over {
            return Ok(None);
        }
        let mut query = self.query.clone();
        query.push(("limit", self.limit.to_string()));
        query.extend(self.next.take().map(|cursor| ("cursor", cursor)));
        let page = self.client.get(&format!("{}{}", self.path, written(&query))).await?;
        self.next = page.body.pointer("/pages/next").and_then(Value::as_str).map(str::to_owned);
        self.over = self.next.is_none();
        Ok(Some(page))
    }

    /// Prints all of it as one JSON object, each item as it came, while it comes.
    async fn print_whole(&mut self) -> anyhow::Result<()> {
        line("{\"items\": [");
        let mut before: Option<Box<RawValue>> = None;
        while let Some(page) = self.next().await? {
            for item in items(&page.text)? {
                if let Some(before) = before.replace(item)
                    && !line_if_read(&format!("{},", before.get()))
                {
                    return Ok(());
                }
            }
        }
        if let Some(last) = before {
            line(last.get());
        }
        line("]}");
        Ok(())
    }
}

/// The items of a page, each as it came, so that nothing is reordered or rounded.
///
/// # Errors
/// When it is no list.
pub(super) fn items(page: &str) -> anyhow::Result<Vec<Box<RawValue>>> {
    let broken = |error| {
        Failure::new(Code::Server, format!("the server answered a list that cannot be read: {error}"))
    };
    let mut fields: HashMap<String, Box<RawValue>> = serde_json::from_str(page).map_err(broken)?;
    match fields.remove("items") {
        Some(items) => Ok(serde_json::from_str(items.get()).map_err(broken)?),
        None => Err(Failure::new(Code::Server, format!("the server answered no list but {page:?}")).into()),
    }
}

/// A query string.
pub(super) fn written(query: &[(&str, String)]) -> String {
    let parts: Vec<String> = query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}
