//! `select` of a list of webhooks: which fields of each are shown, as Contentful writes it: `select=name,sys.id`.

use serde_json::{Map, Value};

use crate::error::{ApiError, ApiResult};
use crate::query::Params;

/// Most fields that can be named: more than a webhook has.
const MOST: usize = 100;

/// The fields, each as its path; `None` is all of them.
pub(super) fn read(params: &Params) -> ApiResult<Option<Vec<Vec<String>>>> {
    let Some(text) = params.get("select") else { return Ok(None) };
    let path = |one: &str| -> Option<Vec<String>> {
        let good = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        one.split('.').map(|part| good(part).then(|| part.to_owned())).collect()
    };
    let paths: Option<Vec<_>> = text.split(',').take(MOST + 1).map(|one| path(one.trim())).collect();
    let refused = || {
        let fix = "join names of fields by commas, with dots for fields of fields: name,sys.id";
        ApiError::bad_query("select", "it names no fields", fix)
    };
    paths.filter(|paths| paths.len() <= MOST).ok_or_else(refused).map(Some)
}

/// What a value has of these fields, and always its `sys.type` and `sys.id`, without which it would be nothing.
pub(super) fn apply(value: &Value, paths: &[Vec<String>]) -> Value {
    let mut shown = Value::Object(Map::new());
    let always = [["sys", "type"], ["sys", "id"]];
    let named = paths.iter().map(|path| path.iter().map(String::as_str).collect::<Vec<_>>());
    for path in named.chain(always.map(Vec::from)) {
        let found = path.iter().try_fold(value, |inner, name| inner.get(*name));
        if let Some(found) = found {
            let place = path.iter().fold(&mut shown, |inner, name| &mut inner[*name]);
            merge(place, found);
        }
    }
    shown
}

/// `sys` after `sys.id` shows all of `sys`.
fn merge(place: &mut Value, found: &Value) {
    if place.is_null() || !found.is_object() {
        *place = found.clone();
    } else if let (Some(place), Some(found)) = (place.as_object_mut(), found.as_object()) {
        place.extend(found.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn select(paths: &[&str], value: &Value) -> Value {
        let paths: Vec<Vec<String>> =
            paths.iter().map(|path| path.split('.').map(str::to_owned).collect()).collect();
        apply(value, &paths)
    }

    #[test]
    fn named_fields_are_shown_and_what_identifies_it_always() {
        let webhook = json!({"sys": {"type": "W", "id": "a", "version": 1}, "name": "n", "url": "u"});
        let identity = json!({"type": "W", "id": "a"});
        assert_eq!(select(&["name"], &webhook), json!({"sys": identity, "name": "n"}));
        assert_eq!(select(&["sys.id", "sys"], &webhook), json!({"sys": webhook["sys"]}));
        assert_eq!(select(&["sys", "sys.version"], &webhook), json!({"sys": webhook["sys"]}));
        assert_eq!(select(&["none", "name.deeper"], &webhook), json!({"sys": identity}));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_what_there_is(paths in proptest::collection::vec("[a-c](\\.[a-c]){0,2}", 0..6)) {
            let value = json!({"a": {"a": {"a": 1, "b": 2}, "b": [1]}, "b": {"c": 3}, "c": null});
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let shown = select(&paths, &value);
            for (name, part) in shown.as_object().expect("an object") {
                let whole = &value[name];
                prop_assert!(part == whole || part.is_object());
            }
        }
    }
}
