//! Reading a JSON object field by field: every wrong type is noted with its path, and reading goes on.

use std::cell::RefCell;
use std::time::Duration;

use postrider_control::FieldFault;
use serde_json::{Map, Value};

use crate::duration_json;
use crate::error::{ApiError, ApiResult};

/// What was found wrong while reading.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    faults: RefCell<Vec<FieldFault>>,
    ignored: RefCell<Vec<String>>,
}

/// One object. A field that is `null` is absent.
#[derive(Debug)]
pub(crate) struct Fields<'j> {
    object: &'j Map<String, Value>,
    path: String,
    faults: &'j Faults,
    read: RefCell<Vec<&'static str>>,
}

impl Faults {
    pub(crate) fn push(&self, fault: FieldFault) {
        self.faults.borrow_mut().push(fault);
    }

    /// What was found wrong, and what was ignored, to be said in a `Warning` each.
    pub(crate) fn into_parts(self) -> (Vec<FieldFault>, Vec<String>) {
        (self.faults.into_inner(), self.ignored.into_inner())
    }

    /// Fails with everything that was noted.
    pub(crate) fn check(self) -> ApiResult<()> {
        let faults = self.faults.into_inner();
        if faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(faults)) }
    }
}

impl<'j> Fields<'j> {
    /// The object of a body.
    pub(crate) fn top(object: &'j Map<String, Value>, faults: &'j Faults) -> Self {
        Self { object, path: String::new(), faults, read: RefCell::default() }
    }

    /// The path of a field of this object.
    pub(crate) fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value as it is, marked as read.
    pub(crate) fn raw(&self, key: &'static str) -> Option<&'j Value> {
        self.read.borrow_mut().push(key);
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// Refuses null where a field tells one form of an object from another: left out and null would not mean the same.
    pub(crate) fn refuse_null(&self, key: &'static str) {
        if self.object.get(key).is_some_and(Value::is_null) {
            self.wrong(self.path(key), &Value::Null, "give a value, or leave it out");
        }
    }

    /// Notes that a field has another type than it must.
    pub(crate) fn wrong(&self, path: String, value: &Value, fix: &str) {
        let problem = format!("it is {}", kind(value));
        self.faults.push(FieldFault::new(path, "type", problem, fix));
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        let value = self.raw(key)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(self.path(key), value, "give a text");
        }
        text
    }

    pub(crate) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.raw(key)?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.wrong(self.path(key), value, "give true or false");
        }
        flag
    }

    pub(crate) fn number(&self, key: &'static str) -> Option<f64> {
        let value = self.raw(key)?;
        let number = value.as_f64();
        if number.is_none() {
            self.wrong(self.path(key), value, "give a number");
        }
        number
    }

    pub(crate) fn integer(&self, key: &'static str) -> Option<u32> {
        let value = self.raw(key)?;
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            self.wrong(self.path(key), value, "give a whole number from 0 to 4294967295");
        }
        number
    }

    pub(crate) fn duration(&self, key: &'static str) -> Option<Duration> {
        let value = self.raw(key)?;
        let duration = duration_json::read(value);
        if duration.is_none() {
            self.wrong(self.path(key), value, duration_json::FORM);
        }
        duration
    }

    /// A list whose items are read one by one; what cannot be read is noted as not being what `fix` says.
    pub(crate) fn list<T>(
        &self,
        key: &'static str,
        fix: &str,
        read: impl Fn(&'j Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.raw(key)?;
        let Some(items) = value.as_array() else {
            self.wrong(self.path(key), value, "give a list");
            return None;
        };
        let mut list = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            match read(item) {
                Some(item) => list.push(item),
                None => self.wrong(format!("{}[{at}]", self.path(key)), item, fix),
            }
        }
        Some(list)
    }

    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        self.list(key, "give a text", |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn object(&self, key: &'static str) -> Option<Fields<'j>> {
        let value = self.raw(key)?;
        let object = value.as_object();
        if object.is_none() {
            self.wrong(self.path(key), value, "give an object {…}");
        }
        Some(Fields { object: object?, path: self.path(key), faults: self.faults, read: RefCell::default() })
    }

    /// The objects of a list.
    pub(crate) fn objects(&self, key: &'static str) -> Vec<Fields<'j>> {
        let objects = self.list(key, "give an object {…}", Some).unwrap_or_default();
        let numbered = objects.into_iter().enumerate();
        numbered
            .filter_map(|(at, value)| {
                let path = format!("{}[{at}]", self.path(key));
                let Some(object) = value.as_object() else {
                    self.wrong(path, value, "give an object {…}");
                    return None;
                };
                Some(Fields { object, path, faults: self.faults, read: RefCell::default() })
            })
            .collect()
    }

    pub(crate) fn fault(&self, fault: FieldFault) {
        self.faults.push(fault);
    }

    /// The fields that nobody read.
    pub(crate) fn unread(&self) -> Vec<String> {
        let read = self.read.borrow();
        self.object.keys().filter(|key| !read.contains(&key.as_str())).cloned().collect()
    }

    /// Notes the fields that nobody read as ignored: what else stands in Contentful's objects is Contentful's to define. At
    /// most ten in all are named, since each becomes a header.
    pub(crate) fn ignore_unread(&self) {
        let mut ignored = self.faults.ignored.borrow_mut();
        for key in self.unread() {
            let shown: String = key.chars().take(64).collect();
            ignored.push(format!("ignored: {}", self.path(&shown)));
        }
        ignored.truncate(10);
    }

    /// Refuses the fields that nobody read: in our own objects a slip of the pen must not go unnoticed.
    pub(crate) fn refuse_unread(&self) {
        for key in self.unread() {
            let known = self.read.borrow().join(", ");
            let fix = format!("leave it out; known are {known}");
            let shown: String = key.chars().take(64).collect();
            self.fault(FieldFault::new(self.path(&shown), "unknown", "there is no such field", fix));
        }
    }
}

/// The type of a JSON value, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
