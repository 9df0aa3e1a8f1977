//! The suite for the body store.

use postrider_domain::event::{BodyRef, Content, Source};
use postrider_domain::json::Json;
use postrider_ports::bodies::Bodies;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::content;
use crate::clock::START;

suite!(
    "the body store",
    dyn Bodies,
    [
        a_content_comes_back_byte_for_byte,
        the_same_content_of_a_day_is_the_same_body,
        what_is_not_there_is_a_permanent_error,
        what_was_stored_is_there_after_a_kill,
    ]
);

type BodiesBench<'h> = Bench<'h, dyn Bodies>;

fn large() -> Content {
    let body = Json::from_checked(r#"{"sys" : {"id":"x"}}"#);
    Content {
        previous: Some(Json::from_checked("1.50")),
        related: Some(Json::from_checked("[ ]")),
        source: Some(Source {
            dialect: "contentful".to_owned(),
            headers: vec![("x-contentful-topic".to_owned(), "ContentManagement.Entry.publish".to_owned())],
            body,
        }),
        ..content(&format!("\"{}\"", "ä".repeat(100_000)))
    }
}

async fn a_content_comes_back_byte_for_byte(bench: &BodiesBench<'_>) -> Checked {
    let body = bench.on.put(START.day(), &large()).await?;
    same!(body.day, START.day(), "the day");
    ensure!(body.length >= 200_000, "the length counts what is stored, it says {}", body.length);
    ensure!(bench.on.get(&body).await? == large(), "the content differs from what was stored");
    Ok(())
}

async fn the_same_content_of_a_day_is_the_same_body(bench: &BodiesBench<'_>) -> Checked {
    let first = bench.on.put(START.day(), &content("1")).await?;
    same!(bench.on.put(START.day(), &content("1")).await?, first, "the same again");
    let other = bench.on.put(START.day(), &content("2")).await?;
    ensure!(other.sha256 != first.sha256, "another content has another hash");
    same!(bench.on.get(&first).await?, content("1"), "the first");
    same!(bench.on.get(&other).await?, content("2"), "the second");
    Ok(())
}

async fn what_is_not_there_is_a_permanent_error(bench: &BodiesBench<'_>) -> Checked {
    let stored = bench.on.put(START.day(), &content("1")).await?;
    for missing in [BodyRef { sha256: [0; 32], ..stored }, BodyRef { day: START.day().minus(1), ..stored }] {
        let Err(error) = bench.on.get(&missing).await else {
            return Err(Fault::new("a body that was never stored was found"));
        };
        ensure!(!error.is_transient(), "asking again does not bring it back: {error}");
    }
    Ok(())
}

async fn what_was_stored_is_there_after_a_kill(bench: &BodiesBench<'_>) -> Checked {
    let body = bench.on.put(START.day(), &large()).await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    ensure!(again.get(&body).await? == large(), "the content differs from what was stored");
    Ok(())
}
