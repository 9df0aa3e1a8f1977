//! `postrider tokens`: made, shown once, used, listed, revoked.

use tempfile::tempdir;

use crate::process::{Running, run};

#[test]
fn a_token_is_made_opens_what_its_role_allows_and_opens_nothing_once_revoked() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, _) = Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]);
    let made =
        run(dir, &["tokens", "create", "--json", "--name", "oncall", "--role", "viewer", "--expires", "12h"])
            .json();
    let (id, token) = (made["sys"]["id"].as_str().expect("an id"), made["token"].as_str().expect("a token"));
    assert_eq!((&made["space"], &made["role"]), (&"default".into(), &"viewer".into()), "{made}");
    assert!(made["expiresAt"].is_string(), "{made}");

    assert_eq!(run(dir, &["webhooks", "list", "--token", token]).code(), 0);
    let me = run(dir, &["tokens", "whoami", "--token", token, "--json"]).json();
    assert_eq!((&me["firstName"], &me["role"]), (&"oncall".into(), &"viewer".into()), "{me}");
    assert!(run(dir, &["tokens", "whoami"]).stdout().contains("every space"));
    let denied = run(dir, &["tokens", "list", "--token", token]);
    assert_eq!(denied.code(), 4, "{}", denied.stdout());
    assert!(denied.stderr().contains("tokens:manage"), "{}", denied.stderr());

    let listed = run(dir, &["tokens", "list"]).stdout();
    assert!(listed.contains("oncall") && listed.contains(&token[..8]), "{listed}");
    assert!(!listed.contains(token), "never the token itself: {listed}");
    assert_eq!(run(dir, &["tokens", "list", "--json"]).json()["items"].as_array().map(Vec::len), Some(2));

    let revoked = run(dir, &["tokens", "revoke", id]);
    assert_eq!((revoked.code(), revoked.stdout().trim()), (0, format!("revoked {id}").as_str()));
    let closed = run(dir, &["webhooks", "list", "--token", token]);
    assert_eq!(closed.code(), 4);
    assert!(closed.stderr().contains("revoked"), "{}", closed.stderr());
    assert!(run(dir, &["tokens", "list"]).stdout().contains("revoked 2"), "the list says when");
    assert_eq!(server.terminate(), 0);
}

#[test]
fn a_token_reaches_one_space_unless_all_are_asked_for() {
    let dir = tempdir().expect("a folder");
    let dir = dir.path();
    let (server, _) = Running::start(dir, &["serve", "--json", "--bind", "127.0.0.1:0"]);
    let create =
        |more: &[&str]| run(dir, &[&["tokens", "create", "--name", "t", "--role", "admin"], more].concat());
    let wide = create(&["--all-spaces"]).stdout();
    assert!(wide.contains("admin of every space") && wide.contains("shown this once: prt_"), "{wide}");
    let narrow = create(&["--expires", "2099-01-01T00:00:00Z"]).stdout();
    assert!(narrow.contains("admin of space default, until 2099-01-01T00:00:00.000Z"), "{narrow}");

    let cases: [(&[&str], i32, &str); 4] = [
        (&["tokens", "create", "--name", "t", "--role", "king"], 2, "publisher"),
        (&["tokens", "create", "--name", "t", "--role", "admin", "--expires", "soon"], 2, "12h"),
        (&["tokens", "create", "--name", "t", "--role", "admin", "--space", "nowhere"], 5, "nowhere"),
        (&["tokens", "revoke", "nobody"], 5, "nobody"),
    ];
    for (arguments, code, part) in cases {
        let ended = run(dir, arguments);
        assert_eq!(ended.code(), code, "{arguments:?}: {}", ended.stderr());
        assert!(ended.stderr().contains(part), "{arguments:?}: {}", ended.stderr());
    }
    assert_eq!(server.terminate(), 0);
}
