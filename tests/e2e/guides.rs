//! The guides of `docs/guides` that connect a CMS and verify a signature: what their readers copy is taken from the pages and
//! run, step by step, against a running system. A shell does what the reader does, and a receiver shows what comes of it.

mod connect;
mod page;
mod schemes;
mod verify;

use postrider_tests::markdown;

/// Under which headings of the pages the tests here run blocks of which languages.
const RUN: [(&str, &[&str]); 13] = [
    ("Make a source", &["sh"]),
    ("Try it out", &["sh", "js"]),
    ("Receive as if from", &["sh", "http"]),
    ("Manage webhooks as in Contentful", &["sh"]),
    ("Verify signatures", &["js", "python"]),
    ("Standard Webhooks", &["js", "php", "python"]),
    ("Contentful", &["js", "php", "python"]),
    ("Contentstack, RSA", &["sh", "js", "php", "python"]),
    ("Contentstack, HMAC", &["js", "php", "python"]),
    ("CometCMS and Contismo", &["js", "php", "python"]),
    ("A whole receiver", &["js", "php", "python"]),
    ("DatoCMS", &["sh"]),
    ("Change a secret without losing a call", &["sh"]),
];

#[test]
fn no_block_of_these_guides_is_left_out() {
    let cms = ["cometcms", "contentful", "contentstack", "contismo", "datocms", "standard-webhooks"];
    let pages = cms.map(|cms| format!("docs/guides/connect-{cms}.md"));
    for page in pages.iter().map(String::as_str).chain(["docs/guides/verify-signatures.md"]) {
        for block in markdown::blocks(page) {
            let heading = |wanted: &str| {
                block.heading == wanted || wanted.ends_with("from") && block.heading.starts_with(wanted)
            };
            let runs =
                RUN.iter().any(|(wanted, languages)| heading(wanted) && languages.contains(&&*block.info));
            assert!(runs, "{page}:{}: nobody runs {:?} under {:?}", block.line, block.info, block.heading);
        }
    }
}
