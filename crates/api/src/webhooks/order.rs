//! `order` of a list of webhooks, as Contentful writes it: `order=-sys.updatedAt,name`.

use postrider_control::webhooks::order::{SortBy, SortKey};

use crate::error::{ApiError, ApiResult};
use crate::query::Params;

/// What a list can be ordered by.
const KNOWN: [(&str, SortBy); 5] = [
    ("sys.id", SortBy::Id),
    ("name", SortBy::Name),
    ("url", SortBy::Url),
    ("sys.createdAt", SortBy::CreatedAt),
    ("sys.updatedAt", SortBy::UpdatedAt),
];

/// The keys of `order`, each with `-` before it for largest first; none when it is not given.
pub(super) fn read(params: &Params) -> ApiResult<Vec<SortKey>> {
    let Some(text) = params.get("order") else { return Ok(Vec::new()) };
    let key = |given: &str| {
        let (name, descending) = given.strip_prefix('-').map_or((given, false), |name| (name, true));
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        known.map(|(_, by)| SortKey { by: *by, descending })
    };
    // More keys than there are fields cannot change the order.
    let keys: Option<Vec<SortKey>> =
        text.split(',').take(KNOWN.len() + 1).map(|one| key(one.trim())).collect();
    keys.filter(|keys| keys.len() <= KNOWN.len()).ok_or_else(|| {
        let known = KNOWN.map(|(name, _)| name).join(", ");
        let fix = format!("use {known}, each at most once, with `-` before it for descending");
        ApiError::bad_query("order", "a list of webhooks cannot be ordered by it", &fix)
    })
}
