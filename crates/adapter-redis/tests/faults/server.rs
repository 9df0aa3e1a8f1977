//! The server itself, under the ports that use it directly.

use postrider_adapter_redis::Redis;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims};
use postrider_ports::registry::Registry;
use postrider_ports::subscriptions::Subscriptions;
use postrider_testkit::START;
use postrider_testkit::builders::{event_id, space, webhook};
use tokio::io::AsyncWriteExt;

use super::cache::{named, names};
use super::{Bench, SECOND, assert_away};

#[tokio::test]
async fn a_new_deployment_trusts_its_memory_and_a_flushed_server_is_mistrusted_for_a_day() {
    let bench = Bench::start().await;
    bench.claims().begin(true).await.expect("the server is there");
    assert_eq!(bench.claim("a").await, Claimed::Fresh);
    // A second process starts: the epoch stands.
    bench.claims().begin(false).await.expect("the server is there");
    assert_eq!(bench.claim("b").await, Claimed::Fresh);
    bench.type_in(&["FLUSHALL"]).await;
    assert_eq!(bench.claim("a").await, Claimed::FreshButForgetful);
    bench.clock.set(START.plus(COMMITTED_FOR).minus(SECOND));
    assert_eq!(bench.claim("c").await, Claimed::FreshButForgetful);
    bench.clock.advance(SECOND);
    assert_eq!(bench.claim("d").await, Claimed::Fresh);
}

#[tokio::test]
async fn a_server_that_is_new_to_an_old_deployment_is_mistrusted() {
    let bench = Bench::start().await;
    bench.claims().begin(false).await.expect("the server is there");
    assert_eq!(bench.claim("a").await, Claimed::FreshButForgetful);
    let other = Bench::start().await;
    assert_eq!(other.claim("a").await, Claimed::FreshButForgetful, "nobody began the memory");
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_told_again() {
    let bench = Bench::start().await;
    for round in 0..3 {
        for (key, used) in bench.use_all().await {
            used.unwrap_or_else(|error| panic!("round {round}, {key}: {error}"));
        }
        bench.type_in(&["SCRIPT", "FLUSH"]).await;
    }
}

#[tokio::test]
async fn a_batch_is_one_round_trip() {
    let bench = Bench::start().await;
    bench.claims().begin(true).await.expect("the server is there");
    bench.claim("first").await;
    let wanted: Vec<_> = (0..500).map(|number| (event_id(&format!("e{number}")), [1; 32])).collect();
    let before = bench.redis.round_trips();
    let claimed = bench.claims().claim(&space("s"), &wanted, START).await.expect("the server is there");
    assert_eq!((claimed.len(), bench.redis.round_trips() - before), (500, 1));
}

#[tokio::test]
async fn every_key_that_can_be_one_of_many_ends_by_itself() {
    let bench = Bench::start().await;
    bench.use_all().await;
    let worker = bench.worker();
    worker.published().await.expect("both are there");
    bench.store.create(&named("One", 0)).await.expect("it is new");
    worker.published().await.expect("both are there");
    names(&worker).await;
    let keys = bench.keys().await;
    assert!(keys.len() >= 10, "{keys:?}");
    for key in keys.iter().filter(|key| *key != "postrider:{*}:epoch") {
        let left: i64 = redis::cmd("PTTL")
            .arg(key)
            .query_async(&mut bench.terminal().await)
            .await
            .expect("the server tells");
        assert!(left > 0, "{key} stays for ever");
    }
}

#[tokio::test]
async fn while_the_server_is_away_every_port_says_so_and_afterwards_works_again() {
    let mut bench = Bench::start().await;
    bench.use_all().await;
    bench.server.stop().await;
    for (key, used) in bench.use_all().await {
        assert_away(&used.expect_err(key), &bench.server);
    }
    assert_away(&bench.redis.ping().await.expect_err("nobody is there"), &bench.server);
    bench.server.start_again().await.expect("it starts again");
    for (key, used) in bench.use_all().await {
        used.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    // It came back empty.
    assert_eq!(bench.claim("new").await, Claimed::FreshButForgetful);
}

#[tokio::test]
async fn a_server_that_is_absent_at_the_start_is_used_when_it_comes() {
    let mut bench = Bench::start().await;
    bench.server.kill().await;
    let redis = Redis::new(&bench.server.url()).expect("its URL");
    assert_away(&redis.ping().await.expect_err("nobody is there"), &bench.server);
    bench.server.start_again().await.expect("it starts");
    redis.ping().await.expect("it is there");
}

#[tokio::test]
async fn data_that_is_not_ours_is_an_error_that_names_the_key() {
    let bench = Bench::start().await;
    bench.use_all().await;
    for foreign in [["RPUSH", "", "x"], ["SET", "", "gibberish"], ["SET", "", "\u{1F980} 1 2 3 4 5"]] {
        for key in bench.keys().await {
            bench.type_in(&["DEL", &key]).await;
            bench.type_in(&[foreign[0], &key, foreign[2]]).await;
        }
        for (key, used) in bench.use_all().await {
            let error = used.expect_err(key).to_string();
            let names_key = error.contains(key) || error.contains("postrider:{*}:epoch");
            assert!(names_key && error.contains("delete it"), "{key}: {error}");
        }
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_without_it_and_a_mended_one_works() {
    let bench = Bench::start().await;
    bench.type_in(&["CONFIG", "SET", "requirepass", "right-0815"]).await;
    let url = bench.server.url().replace("redis://", "redis://:wrong-4711@");
    let redis = Redis::new(&url).expect("a URL");
    let error = redis.ping().await.expect_err("the password is wrong");
    assert_away(&error, &bench.server);
    for told in [error.to_string(), format!("{error:?}")] {
        assert!(!told.contains("4711"), "{told}");
    }
    let client = redis::Client::open(bench.server.url().replace("redis://", "redis://:right-0815@"));
    let mut terminal =
        client.expect("a URL").get_multiplexed_async_connection().await.expect("the right password");
    let mended =
        redis::cmd("CONFIG").arg(&["SET", "requirepass", "wrong-4711"]).exec_async(&mut terminal).await;
    mended.expect("the server does it");
    redis.ping().await.expect("the password is right now");
}

/// What we call, and all that Redis clusters and Valkey have had since they exist: no modules, nothing that needs keys of
/// several slots, no blocking.
const ALLOWED: &[&str] = &[
    "del",
    "eval",
    "evalsha",
    "exists",
    "get",
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hlen",
    "hmget",
    "hset",
    "info",
    "pexpire",
    "ping",
    "publish",
    "scan",
    "set",
    "setnx",
    "subscribe",
    "time",
    "zadd",
    "zcard",
    "zrange",
    "zrangebyscore",
    "zrem",
    "zremrangebyscore",
    // Of the client library and of the server itself.
    "auth",
    "client|setinfo",
    "hello",
    "select",
];

#[tokio::test]
async fn no_command_is_used_that_a_cluster_or_valkey_lacks() {
    let bench = Bench::start().await;
    bench.claims().begin(true).await.expect("the server is there");
    for (key, used) in bench.use_all().await {
        used.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    let worker = bench.worker();
    for number in 0..1010 {
        let webhook = webhook(&format!("w{number}")).build();
        bench.store.create(&webhook).await.expect("it is new");
        if number % 100 == 0 || number > 1000 {
            worker.published().await.expect("both are there");
        }
    }
    names(&worker).await;
    worker.changes_since(1000).await.expect("both are there");
    bench.redis.findings(&*bench.clock).await;
    let told: redis::RedisResult<String> =
        redis::cmd("INFO").arg("commandstats").query_async(&mut bench.terminal().await).await;
    let told = told.expect("the server tells");
    let used: Vec<&str> = told
        .lines()
        .filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(':'))
        .map(|one| one.0)
        .collect();
    assert!(
        used.contains(&"evalsha") && used.contains(&"zrem"),
        "the evictions of the list must be among {used:?}"
    );
    let other: Vec<_> = used.iter().filter(|command| !ALLOWED.contains(command)).collect();
    assert!(other.is_empty(), "{other:?}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_said() {
    let bench = Bench::start().await;
    let redis = Redis::new(&format!("{}/999999", bench.server.url())).expect("a URL");
    let error = redis.ping().await.expect_err("there are not so many").to_string();
    assert!(error.contains("/999999") && error.contains("out of range"), "{error}");
}

#[tokio::test]
async fn plain_words_to_a_server_that_speaks_tls_are_an_error_at_once() {
    let secured = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = secured.local_addr().expect("its port");
    tokio::spawn(async move {
        // What a TLS server answers to what is no handshake: the alert `unexpected_message` (RFC 8446, section 6).
        while let Ok((mut stream, _)) = secured.accept().await {
            drop(stream.write_all(&[0x15, 3, 3, 0, 2, 2, 10]).await);
        }
    });
    let redis = Redis::new(&format!("redis://{address}")).expect("a URL");
    let error = redis.ping().await.expect_err("it speaks TLS");
    assert!(error.is_transient() && error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn tls_where_none_is_spoken_is_an_error() {
    let bench = Bench::start().await;
    let redis = Redis::new(&bench.server.url().replace("redis://", "rediss://")).expect("a URL");
    assert_away(&redis.ping().await.expect_err("it speaks no TLS"), &bench.server);
}

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("its port");
    let redis = Redis::new(&format!("redis://{address}")).expect("a URL");
    let error = redis.ping().await.expect_err("nobody answers");
    assert!(error.is_transient() && error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn a_url_that_cannot_be_used_is_said_without_its_password() {
    for url in
        ["redis://:secret-4711@", "http://:secret-4711@h", "redis://:secret-4711@h:port/1", "secret-4711"]
    {
        let Err(error) = Redis::new(url) else { panic!("{url} was taken") };
        let told = format!("{error} {error:?}");
        assert!(!told.contains("4711") && told.contains("redis://["), "{told}");
    }
}
