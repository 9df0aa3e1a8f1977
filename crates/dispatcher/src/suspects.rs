//! How far suspects have come: first the marks, then, for those without one, the log (DESIGN §2). Two lookups at most for
//! a whole batch.

use postrider_domain::delivery::Progress;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{Asked, Marks, Progresses};
use tracing::warn;

/// The progress of each, in the same order; `None` when nothing is known of it. Without the marks the log is asked for
/// all; without the log there is no answer.
pub(crate) async fn settled(
    marks: &dyn Marks,
    progresses: &dyn Progresses,
    asked: &[Asked],
) -> PortResult<Vec<Option<Progress>>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = asked.iter().map(|one| one.id).collect();
    let mut known = match marks.marked(&ids).await {
        Ok(marked) => marked,
        Err(error) => {
            warn!(%error, "marks cannot be read; asking the log");
            vec![None; asked.len()]
        }
    };
    known.resize(asked.len(), None);
    let unmarked: Vec<usize> = (0..asked.len()).filter(|at| known[*at].is_none()).collect();
    if unmarked.is_empty() {
        return Ok(known);
    }
    let wanted: Vec<Asked> = unmarked.iter().map(|at| asked[*at]).collect();
    let logged = progresses.progress(&wanted).await?;
    for (at, progress) in unmarked.into_iter().zip(logged) {
        known[at] = progress;
    }
    Ok(known)
}
