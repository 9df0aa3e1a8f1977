//! Lists that are read whole, by id or age: a part of one, and where it goes on. A cursor is the key of the last item that was
//! shown, so what comes or goes meanwhile neither repeats nor hides another.

use serde_json::{Value, json};

use crate::answer::array;
use crate::error::{ApiError, ApiResult};
use crate::query::Params;

/// Items in one answer unless asked otherwise, and at most.
pub(crate) const LISTED: (usize, usize) = (100, 1_000);
/// What such a list understands.
pub(crate) const KNOWN: [&str; 3] = ["skip", "limit", "cursor"];

/// The part that is asked for, in the order of the keys. A key consists of letters, digits and `._-`.
pub(crate) fn part<T>(
    mut items: Vec<T>,
    params: &Params,
    key: impl Fn(&T) -> String,
    write: impl Fn(&T) -> Value,
) -> ApiResult<Value> {
    let paging = params.paging(LISTED.0, LISTED.1)?;
    let after = params.get("cursor").map(checked).transpose()?;
    items.sort_by_cached_key(&key);
    let total = items.len();
    let skip = match after {
        Some(after) => items.iter().take_while(|item| key(item).as_str() <= after).count(),
        None => paging.skip,
    };
    let shown: Vec<&T> = items.iter().skip(skip).take(paging.limit).collect();
    let next = shown.last().filter(|_| skip + shown.len() < total).map(|last| key(last));
    let written = shown.into_iter().map(write).collect();
    let mut body = array(written, total, if after.is_some() { 0 } else { paging.skip }, paging.limit);
    body["pages"] = json!({"next": next});
    Ok(body)
}

fn checked(text: &str) -> ApiResult<&str> {
    let good =
        text.len() <= 512 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if good {
        return Ok(text);
    }
    let fix = "hand back what `pages.next` gave, unchanged";
    Err(ApiError::bad_query("cursor", "it is no cursor of this list", fix))
}
