//! The relay does to a connection what a bad network does, and exactly that.

use std::io::ErrorKind;
use std::time::Duration;

use postrider_testkit::relay::{Direction, Relay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Passes only when something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server that answers each byte with the same; its address.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    address
}

async fn relay() -> Relay {
    Relay::to(&echo().await).await.expect("it listens")
}

async fn connect(relay: &Relay) -> TcpStream {
    TcpStream::connect(relay.address()).await.expect("it is connected")
}

/// Says this and hears it again.
async fn heard(stream: &mut TcpStream, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes()).await?;
    let mut answer = vec![0; text.len()];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("an answer or an end")?;
    assert_eq!(answer, text.as_bytes());
    Ok(())
}

/// What is heard until the connection ends, and whether it ended by a reset.
async fn rest(mut stream: TcpStream) -> (Vec<u8>, bool) {
    let mut rest = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    (rest, ended.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset))
}

#[tokio::test]
async fn what_is_said_arrives_and_an_end_is_passed_on() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "hello").await.expect("heard");
    assert_eq!((relay.carried(Direction::There), relay.carried(Direction::Back)), (5, 5));
    assert_eq!(*relay.connections().borrow(), 1);
    let [ends] = relay.ends()[..] else { panic!("one connection: {:?}", relay.ends()) };
    assert_eq!(ends.client, stream.local_addr().expect("it is bound").port());
    assert_ne!(ends.ours, ends.client);
    stream.write_all(b"bye").await.expect("it stands");
    stream.shutdown().await.expect("it stands");
    assert_eq!(rest(stream).await, (b"bye".to_vec(), false));
    relay.connections().wait_for(|open| *open == 0).await.expect("it lives");
    assert_eq!(relay.ends(), []);
}

#[tokio::test]
async fn a_url_is_led_through_the_relay() {
    let address = echo().await;
    let url = format!("amqp://guest:guest@{address}/live");
    let relay = Relay::before(&url).await.expect("it listens");
    assert_eq!(relay.url(&url), format!("amqp://guest:guest@{}/live", relay.address()));
    heard(&mut connect(&relay).await, "hello").await.expect("heard");
}

#[tokio::test]
async fn a_cut_ends_every_connection_with_a_reset_and_new_ones_pass() {
    let relay = relay().await;
    let (mut one, mut other) = (connect(&relay).await, connect(&relay).await);
    heard(&mut one, "one").await.expect("heard");
    heard(&mut other, "other").await.expect("heard");
    relay.cut().await;
    assert_eq!(*relay.connections().borrow(), 0, "they are gone when it returns");
    assert_eq!((rest(one).await.1, rest(other).await.1), (true, true));
    heard(&mut connect(&relay).await, "again").await.expect("heard");
}

#[tokio::test]
async fn who_is_refused_is_told_and_comes_in_after_it_is_restored() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "hello").await.expect("heard");
    relay.refuse().await;
    assert!(rest(stream).await.1, "what stood is cut");
    for _ in 0..3 {
        let refused = TcpStream::connect(relay.address()).await.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
    relay.refuse().await;
    relay.restore().await;
    heard(&mut connect(&relay).await, "again").await.expect("heard");
}

#[tokio::test]
async fn a_black_hole_holds_everything_and_lets_it_go_on_when_it_is_restored() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "hello").await.expect("heard");
    relay.black_hole();
    stream.write_all(b"lost?").await.expect("nobody tells");
    let mut late = connect(&relay).await;
    late.write_all(b"late").await.expect("nobody tells");
    // A second connection that did get through would have carried something by then.
    tokio::task::yield_now().await;
    assert_eq!(relay.carried(Direction::There), 5, "nothing passes");
    relay.restore().await;
    let mut answer = [0; 5];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time").expect("it stands");
    assert_eq!(&answer, b"lost?");
    let mut answer = [0; 4];
    timeout(PATIENCE, late.read_exact(&mut answer)).await.expect("in time").expect("it stands");
    assert_eq!(&answer, b"late");
}

#[tokio::test]
async fn what_is_in_a_black_hole_when_it_is_cut_is_lost() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "hello").await.expect("heard");
    relay.black_hole();
    stream.write_all(b"lost").await.expect("nobody tells");
    relay.cut().await;
    relay.restore().await;
    assert_eq!(rest(stream).await, (Vec::new(), true));
    assert_eq!(relay.carried(Direction::There), 5);
}

#[tokio::test]
async fn a_delay_is_that_of_the_way_there_and_back_and_costs_no_throughput() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "hello").await.expect("heard");
    relay.delay(Duration::from_millis(50));
    // A delay can only be seen as one.
    let asked = Instant::now();
    heard(&mut stream, "hello").await.expect("heard");
    assert!(asked.elapsed() >= Duration::from_millis(100), "{:?}", asked.elapsed());
    let (mut from, mut to) = stream.into_split();
    let sent = tokio::spawn(async move {
        for _ in 0..200 {
            to.write_all(&[7; 1000]).await.expect("it stands");
        }
        to
    });
    let mut all = vec![0; 200_000];
    timeout(PATIENCE, from.read_exact(&mut all))
        .await
        .expect("one after the other would take 20 s")
        .expect("it stands");
    drop(sent.await);
}

#[tokio::test]
async fn a_cut_after_bytes_passes_exactly_so_many() {
    let relay = relay().await;
    let (mut stream, mut other) = (connect(&relay).await, connect(&relay).await);
    heard(&mut other, "other").await.expect("heard");
    relay.cut_after(Direction::There, 12);
    stream.write_all(b"hello, world: no more of it").await.expect("it stands");
    timeout(PATIENCE, relay.until_triggered()).await.expect("it cuts");
    drop(rest(stream).await);
    assert_eq!(relay.carried(Direction::There), 5 + 12);
    heard(&mut other, "only one is cut, and once").await.expect("heard");
}

#[tokio::test]
async fn a_frame_that_must_not_come_back_does_not_although_the_server_sent_it() {
    let relay = relay().await;
    let mut stream = connect(&relay).await;
    heard(&mut stream, "confirm").await.expect("heard");
    relay.cut_before(Direction::Back, b"confirm");
    heard(&mut stream, "else").await.expect("heard");
    stream.write_all(b"confirm").await.expect("it stands");
    timeout(PATIENCE, relay.until_triggered()).await.expect("it cuts");
    let (rest, reset) = rest(stream).await;
    assert!(rest.len() < "confirm".len() && reset, "{rest:?}");
    assert_eq!(relay.carried(Direction::There), 7 + 4 + 7, "the server got it");
    heard(&mut connect(&relay).await, "confirm").await.expect("it cuts once");
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let relay = Relay::to(&address).await.expect("it listens");
    assert!(rest(connect(&relay).await).await.1);
}
