//! The suite for sources.

use std::time::Duration;

use postrider_domain::id::SourceId;
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::webhook::Audit;
use postrider_ports::sources::Sources;

use super::{Bench, Checked, ensure, same, suite};
use crate::builders::space;
use crate::clock::START;

suite!(
    "sources",
    dyn Sources,
    [
        a_source_is_found_in_its_space_alone,
        putting_it_again_replaces_all_but_its_making,
        sources_are_listed_by_id_and_space,
        only_the_secret_that_was_read_is_sealed_anew,
        a_deleted_source_is_gone_and_no_other,
        a_source_outlives_its_process,
    ]
);

type SourcesBench<'h> = Bench<'h, dyn Sources>;

fn id(text: &str) -> SourceId {
    SourceId::new(text).expect("a valid id")
}

fn source(of: &str, text: &str) -> Source {
    Source {
        id: id(text),
        space: space(of),
        name: format!("Ä \"{text}\" of {of}"),
        dialect: "cometcms".to_owned(),
        secret: Sealed::new(format!("v1.k1.{of}.{text}")),
        audit: Audit {
            created_at: START,
            created_by: "maker".to_owned(),
            updated_at: START,
            updated_by: "maker".to_owned(),
        },
    }
}

async fn a_source_is_found_in_its_space_alone(bench: &SourcesBench<'_>) -> Checked {
    bench.on.put_source(&source("a", "cms")).await?;
    same!(bench.on.source(&space("a"), &id("cms")).await?, Some(source("a", "cms")), "the source");
    same!(bench.on.source(&space("b"), &id("cms")).await?, None, "the source, asked for in another space");
    same!(bench.on.source(&space("a"), &id("other")).await?, None, "an unknown source");
    bench.on.put_source(&source("b", "cms")).await?;
    same!(bench.on.source(&space("a"), &id("cms")).await?, Some(source("a", "cms")), "its namesake");
    Ok(())
}

async fn putting_it_again_replaces_all_but_its_making(bench: &SourcesBench<'_>) -> Checked {
    bench.on.put_source(&source("a", "cms")).await?;
    let later = START.plus(Duration::from_secs(9));
    let changed = |created_at, created_by: &str| Source {
        name: "After".to_owned(),
        dialect: "native".to_owned(),
        secret: Sealed::new("v1.k2.new"),
        audit: Audit {
            created_at,
            created_by: created_by.to_owned(),
            updated_at: later,
            updated_by: "changer".to_owned(),
        },
        ..source("a", "cms")
    };
    bench.on.put_source(&changed(later, "changer")).await?;
    let expected = Some(changed(START, "maker"));
    same!(
        bench.on.source(&space("a"), &id("cms")).await?,
        expected,
        "the source, made when it was first put"
    );
    same!(bench.on.sources(&space("a")).await?.len(), 1, "sources");
    Ok(())
}

async fn sources_are_listed_by_id_and_space(bench: &SourcesBench<'_>) -> Checked {
    for (of, text) in [("a", "z"), ("b", "x"), ("a", "B"), ("a", "b")] {
        bench.on.put_source(&source(of, text)).await?;
    }
    let expected = [source("a", "B"), source("a", "b"), source("a", "z")];
    same!(bench.on.sources(&space("a")).await?, expected, "the list of a space");
    same!(bench.on.sources(&space("c")).await?, [], "the list of a space without sources");
    Ok(())
}

async fn only_the_secret_that_was_read_is_sealed_anew(bench: &SourcesBench<'_>) -> Checked {
    for of in ["a", "b"] {
        bench.on.put_source(&source(of, "cms")).await?;
    }
    let (read, anew) = (source("a", "cms").secret, Sealed::new("v1.k2.anew"));
    let reseal = async |text| bench.on.reseal_source(&space("a"), &id(text), &read, &anew).await;
    ensure!(reseal("cms").await?, "a secret was not sealed anew");
    let expected = Some(Source { secret: anew.clone(), ..source("a", "cms") });
    same!(bench.on.source(&space("a"), &id("cms")).await?, expected, "the source, the rest as it was");
    same!(bench.on.source(&space("b"), &id("cms")).await?, Some(source("b", "cms")), "its namesake");
    // Somebody gave it another secret since it was read.
    let given = Source { secret: Sealed::new("v1.k1.given"), ..source("a", "cms") };
    bench.on.put_source(&given).await?;
    ensure!(!reseal("cms").await?, "a secret that was given meanwhile is said to be replaced");
    same!(bench.on.source(&space("a"), &id("cms")).await?, Some(given), "the source with its given secret");
    ensure!(!reseal("other").await?, "an unknown source was sealed anew");
    same!(bench.on.source(&space("a"), &id("other")).await?, None, "the unknown source");
    Ok(())
}

async fn a_deleted_source_is_gone_and_no_other(bench: &SourcesBench<'_>) -> Checked {
    for of in ["a", "b"] {
        bench.on.put_source(&source(of, "cms")).await?;
    }
    ensure!(!bench.on.delete_source(&space("a"), &id("other")).await?, "an unknown source was deleted");
    ensure!(bench.on.delete_source(&space("a"), &id("cms")).await?, "a source was not deleted");
    ensure!(!bench.on.delete_source(&space("a"), &id("cms")).await?, "a source was deleted twice");
    same!(bench.on.source(&space("a"), &id("cms")).await?, None, "a deleted source");
    same!(bench.on.sources(&space("b")).await?.len(), 1, "sources of the other space");
    Ok(())
}

async fn a_source_outlives_its_process(bench: &SourcesBench<'_>) -> Checked {
    bench.on.put_source(&source("a", "cms")).await?;
    let Some(reopened) = bench.reopened().await else { return Ok(()) };
    same!(reopened.source(&space("a"), &id("cms")).await?, Some(source("a", "cms")), "the source");
    Ok(())
}
