//! Calls: plain commands and Lua scripts on the keys of one slot.
//!
//! A script runs atomically. It is called by its hash; a server that does not know it (fresh, restarted) is told the text
//! (<https://redis.io/docs/latest/develop/programmability/eval-intro/>).

use std::sync::OnceLock;

use redis::{Cmd, ToRedisArgs, Value};

/// A script and its SHA-1.
pub(crate) struct Lua {
    text: &'static str,
    hash: OnceLock<String>,
}

impl Lua {
    /// A script of this text.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, hash: OnceLock::new() }
    }

    fn hash(&self) -> &str {
        self.hash.get_or_init(|| redis::Script::new(self.text).get_hash().to_owned())
    }
}

/// One thing to ask of Redis.
pub(crate) struct Call {
    verb: Verb,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Verb {
    Plain(&'static str),
    Script(&'static Lua),
}

impl Call {
    /// A command whose first argument is the key.
    pub(crate) fn plain(command: &'static str, key: impl Into<String>) -> Self {
        Self { verb: Verb::Plain(command), keys: vec![key.into()], arguments: Vec::new() }
    }

    /// A script.
    pub(crate) fn script(lua: &'static Lua, key: impl Into<String>) -> Self {
        Self { verb: Verb::Script(lua), keys: vec![key.into()], arguments: Vec::new() }
    }

    /// One more key, in the slot of the first.
    pub(crate) fn key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// One more argument.
    pub(crate) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.arguments.extend(argument.to_redis_args());
        self
    }

    /// Its first key, for messages.
    pub(crate) fn names(&self) -> &str {
        self.keys.first().map_or("", String::as_str)
    }

    /// By hash if it is a script.
    pub(crate) fn short(&self) -> Cmd {
        match self.verb {
            Verb::Plain(command) => self.on(redis::cmd(command)),
            Verb::Script(lua) => self.scripted("EVALSHA", lua.hash()),
        }
    }

    /// With the whole text if it is a script.
    pub(crate) fn long(&self) -> Cmd {
        match self.verb {
            Verb::Plain(command) => self.on(redis::cmd(command)),
            Verb::Script(lua) => self.scripted("EVAL", lua.text),
        }
    }

    fn scripted(&self, command: &str, script: &str) -> Cmd {
        let mut by = redis::cmd(command);
        by.arg(script).arg(self.keys.len());
        self.on(by)
    }

    fn on(&self, mut command: Cmd) -> Cmd {
        for key in &self.keys {
            command.arg(key);
        }
        for argument in &self.arguments {
            command.arg(argument);
        }
        command
    }
}

/// The text of an answer; `None` for nil.
pub(crate) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// The number in an answer, however it is written.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        other => text(other)?.parse().ok(),
    }
}
