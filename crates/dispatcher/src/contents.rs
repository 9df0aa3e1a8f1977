//! Contents that do not travel with their messages, kept for a moment: a fan-out to 10,000 webhooks comes as 625 messages,
//! and each would fetch the same content again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::event::{BodyRef, Content};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortResult;

/// Bytes that may be kept: sixteen contents of the default limit of an event, 256 KiB.
const BYTES: usize = 16 * 256 * 1024;

/// The contents fetched last.
#[derive(Default)]
pub(crate) struct Contents {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// The one used last stands last.
    all: VecDeque<(BodyRef, Arc<Content>)>,
    bytes: usize,
}

impl Contents {
    /// The content, fetched unless it was a moment ago. An error is the body store's.
    pub(crate) async fn get(&self, body: &BodyRef, bodies: &dyn Bodies) -> PortResult<Arc<Content>> {
        if let Some(content) = self.lock().used(body) {
            return Ok(content);
        }
        let content = Arc::new(bodies.get(body).await?);
        self.lock().keep(*body, Arc::clone(&content));
        Ok(content)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn used(&mut self, body: &BodyRef) -> Option<Arc<Content>> {
        let at = self.all.iter().position(|(known, _)| known == body)?;
        let found = self.all.remove(at)?;
        let content = Arc::clone(&found.1);
        self.all.push_back(found);
        Some(content)
    }

    fn keep(&mut self, body: BodyRef, content: Arc<Content>) {
        if self.used(&body).is_some() || content.size() > BYTES {
            return;
        }
        self.bytes += content.size();
        self.all.push_back((body, content));
        while self.bytes > BYTES
            && let Some((_, gone)) = self.all.pop_front()
        {
            self.bytes -= gone.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::json::Json;
    use postrider_domain::timestamp::Day;

    use super::*;

    fn body(number: u8) -> BodyRef {
        BodyRef { day: Day(1), sha256: [number; 32], length: 1 }
    }

    fn content(bytes: usize) -> Arc<Content> {
        let data = Json::from_checked(format!("\"{}\"", "x".repeat(bytes - 2)));
        Arc::new(Content { data, previous: None, related: None, source: None })
    }

    #[test]
    fn those_used_longest_ago_go_when_there_is_no_space() {
        let mut kept = Kept::default();
        let quarter = content(BYTES / 4);
        for number in 0..4 {
            kept.keep(body(number), Arc::clone(&quarter));
        }
        assert!(kept.used(&body(0)).is_some());
        kept.keep(body(4), Arc::clone(&quarter));
        assert!(kept.used(&body(1)).is_none(), "the one used longest ago");
        assert!([0, 2, 3, 4].iter().all(|number| kept.used(&body(*number)).is_some()));
        kept.keep(body(4), Arc::clone(&quarter));
        assert_eq!((kept.all.len(), kept.bytes), (4, BYTES));
        kept.keep(body(5), content(BYTES + 1));
        assert!(kept.used(&body(5)).is_none() && kept.all.len() == 4, "what is too large moves nobody out");
    }
}
