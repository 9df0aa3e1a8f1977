//! The receivers of `docs/guides`: what the pages tell to copy is taken from them and run, against stand-ins for services
//! that no test can call. The stand-ins do what those services say they do, and every answer of theirs names them as such.

mod aws_lambda;
mod netlify;
mod services;
mod staging_deploy;
mod stand_in;
mod zapier;

use postrider_tests::markdown::blocks;

/// Every block of the pages: heading and info. Each is taken by a test of its page's file here, under these names.
const RUN: [(&str, &[(&str, &str)]); 5] = [
    (
        "netlify",
        &[
            ("The build hook", "sh"),
            ("The webhook", "sh"),
            ("Try it", "sh"),
            ("Try it", "sh calls"),
            ("One build for a release", "sh"),
            ("Builds that say what caused them", "sh"),
        ],
    ),
    (
        "zapier",
        &[
            ("The Zap's trigger", "sh"),
            ("The webhook", "sh"),
            ("The webhook", "sh test"),
            ("The Zap's actions", "text e-mail"),
            ("The Zap's actions", "text post"),
        ],
    ),
    (
        "aws-lambda",
        &[
            ("The secret", "sh"),
            ("Node", "js index.mjs"),
            ("Python", "python lambda_function.py"),
            ("The function", "sh node"),
            ("The function", "sh python"),
            ("The function URL", "sh"),
            ("The webhook", "sh"),
            ("A new secret", "sh"),
        ],
    ),
    (
        "staging-deploy",
        &[
            ("The environment", "sh"),
            ("On your own server", "python deploy_hook.py"),
            ("On your own server", "sh deploy.sh"),
            ("On your own server", "sh secret"),
            ("On your own server", "sh run"),
            ("The webhook", "sh"),
            ("By GitHub Actions", "yaml .github/workflows/staging.yml"),
            ("By GitHub Actions", "sh"),
        ],
    ),
    (
        "services",
        &[
            ("A search index that follows what is published", "sh"),
            ("A cache that forgets what has changed", "sh"),
            ("A push message for every edit", "sh"),
        ],
    ),
];

#[test]
fn no_page_has_a_block_that_no_test_takes() {
    for (page, run) in RUN {
        let blocks = blocks(&format!("docs/guides/{page}.md"));
        let found: Vec<_> = blocks.iter().map(|block| (&*block.heading, &*block.info)).collect();
        assert_eq!(found, run, "{page}");
    }
}
