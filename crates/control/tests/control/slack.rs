//! Slack connections: what is sealed, what is kept, how many there may be.

use postrider_control::ControlError;
use postrider_control::slack::{MOST_CONNECTIONS, SlackDraft};
use postrider_domain::id::ConnectionId;
use postrider_domain::space::SlackAccess;
use postrider_domain::token::Role;
use postrider_ports::access::Spaces;
use proptest::prelude::*;

use crate::instance::{Instance, default_space, says};

const INCOMING: &str = "https://hooks.slack.com/services/T0/B0/planted";

fn id(text: &str) -> ConnectionId {
    ConnectionId::new(text).expect("an id")
}

fn incoming(name: &str) -> SlackDraft {
    SlackDraft { name: name.to_owned(), token: None, url: Some(INCOMING.to_owned()) }
}

#[tokio::test]
async fn what_opens_the_door_is_kept_sealed_and_stays_unless_given_again() {
    let instance = Instance::start().await;
    let (admin, space) = (&instance.admin, default_space());
    let hook = id("hook");
    let put = |draft| instance.control.put_slack_connection(admin, &space, &hook, draft);
    assert!(put(incoming("Hook")).await.expect("connected").created);
    let stored = async || instance.store.settings(&space).await.expect("settings").slack[0].clone();
    let SlackAccess::Incoming { url } = stored().await.access else { panic!("a URL was given") };
    assert!(!url.as_str().contains("planted"));
    let renamed = SlackDraft { name: "Other".to_owned(), ..SlackDraft::default() };
    assert!(!put(renamed).await.expect("renamed").created);
    let kept = stored().await;
    assert_eq!((kept.name.as_str(), kept.access), ("Other", SlackAccess::Incoming { url }));
    assert!(!format!("{:?}", incoming("Hook")).contains("planted"));
}

#[tokio::test]
async fn a_space_has_so_many_connections_and_no_more() {
    let instance = Instance::start().await;
    let (admin, space) = (&instance.admin, default_space());
    for at in 0..MOST_CONNECTIONS {
        let made = instance.control.connect_slack(admin, &space, incoming(&format!("n{at}"))).await;
        assert!(made.expect("connected").created);
    }
    says(instance.control.connect_slack(admin, &space, incoming("one more")).await, "disconnect one first");
    let first = instance.control.slack_connections(admin, &space).await.expect("a list")[0].id.clone();
    let again = instance.control.put_slack_connection(admin, &space, &id(&first), incoming("again")).await;
    assert!(!again.expect("one that is there may change").created);
    instance.control.disconnect_slack(admin, &space, &id(&first)).await.expect("disconnected");
    instance.control.connect_slack(admin, &space, incoming("one more")).await.expect("there is room");
}

#[tokio::test]
async fn a_key_that_is_lost_says_so_when_channels_are_asked_for() {
    let instance = Instance::start().await;
    let (admin, space) = (&instance.admin, default_space());
    let bot = SlackDraft { name: "b".to_owned(), token: Some("xoxb-planted".to_owned()), url: None };
    let answer = postrider_domain::call::RecordedResponse {
        status: 200,
        headers: Vec::new(),
        body: (&br#"{"ok":true,"team":"Acme"}"#[..]).into(),
        truncated: false,
    };
    instance.sender.script("https://slack.com/api/auth.test", [Ok(answer)]);
    instance.control.put_slack_connection(admin, &space, &id("bot"), bot).await.expect("connected");
    let developer = instance.as_role(Role::Developer);
    instance.ring.set(&["k2"]);
    says(instance.control.slack_channels(&developer, &space, &id("bot"), None).await, "k1");
}

proptest! {
    #[test]
    fn any_token_and_any_url_is_judged_and_never_repeated(token in "\\PC{0,60}", url in "\\PC{0,60}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let instance = Instance::start().await;
            let (admin, space) = (&instance.admin, default_space());
            for (token, url) in [(Some(token.clone()), None), (None, Some(format!("https://hooks.slack.com/x-{url}")))] {
                let given = token.clone().or(url.clone()).expect("one");
                let draft = SlackDraft { name: "n".to_owned(), token, url };
                let refused = instance.control.connect_slack(admin, &space, draft).await;
                if let Err(ControlError::Invalid(faults)) = refused {
                    assert!(faults.iter().all(|fault| fault.value.is_none()), "{faults:?}");
                    assert!(given.len() < 8 || !format!("{faults:?}").contains(&given), "{faults:?}");
                }
            }
        });
    }
}
