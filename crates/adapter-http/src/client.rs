//! The guarded client.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use postrider_domain::call::{Failure, RESPONSE_LIMIT, RecordedResponse};
use postrider_domain::outcome::FailureKind;
use postrider_domain::webhook::PlainHttp;
use postrider_ports::sender::{Request, Sender, Sent};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, ClientBuilder, Method, Response};
use thiserror::Error;
use url::Url;

use crate::failure::{classify, place, refused, unusable};
use crate::guard::{Guard, Guards, check_url};
use crate::resolver::{GuardedResolver, Lookup, SystemLookup, Unresolved};
use crate::stopwatch::{Mark, Stopwatch, TimeConnections};

/// Connections kept open for one host: as many as may be in use at once (DESIGN §4.4: one host ≤ 480). With fewer, a busy
/// host costs a new connection for most calls.
pub const IDLE_PER_HOST: usize = 480;
/// How long an idle connection is kept. Short, because there is no cap over all hosts together.
pub const IDLE_FOR: Duration = Duration::from_secs(20);
/// Recorded response headers end here, names and values together: 64 KiB.
pub const RESPONSE_HEADERS_LIMIT: usize = 64 * 1024;

/// Whom the client may call.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether `http://` is allowed, and to where.
    pub plain_http: PlainHttp,
    /// Networks that may be called although the guard blocks them.
    pub allow: Vec<IpNet>,
}

/// The client could not be set up.
#[derive(Debug, Error)]
pub enum SetupError {
    /// The HTTP or TLS library refused.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// The resolver refused the machine's configuration.
    #[error("the resolver cannot be set up, check /etc/resolv.conf: {0}")]
    Resolver(#[from] Unresolved),
}

/// Makes the calls that webhooks ask for. Cloning shares its connections.
#[derive(Clone)]
pub struct GuardedClient {
    plain_http: PlainHttp,
    guards: Guards,
    https: Client,
    http: Client,
}

impl GuardedClient {
    /// Sets it up with the machine's name servers. Touches no network.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        Self::with_lookup(settings, Arc::new(SystemLookup::new()?))
    }

    /// Sets it up with another way to find addresses; they are judged all the same.
    pub fn with_lookup(settings: &Settings, lookup: Arc<dyn Lookup>) -> Result<Self, SetupError> {
        let guards = Guards {
            https: Guard::for_https(&settings.allow),
            http: Guard::for_http(settings.plain_http, &settings.allow),
        };
        // Two clients, because the two schemes may reach different addresses and a resolver is not told the scheme.
        let https = client(GuardedResolver { lookup: Arc::clone(&lookup), guard: guards.https.clone() });
        let http = client(GuardedResolver { lookup, guard: guards.http.clone() });
        let https = https().build().or_else(|error| {
            // A machine without certificates can still call http:// receivers; each https:// call then says why it fails.
            tracing::warn!(%error, "https:// receivers cannot be called: install the package ca-certificates");
            https().tls_certs_only([]).build()
        })?;
        // It never speaks TLS, and reading the machine's certificates takes a while.
        let http = http().tls_certs_only([]).build()?;
        Ok(Self { plain_http: settings.plain_http, guards, https, http })
    }

    async fn call(
        &self,
        request: Request,
        url: &Url,
        watch: &Stopwatch,
    ) -> Result<RecordedResponse, Failure> {
        let client = if url.scheme() == "https" { &self.https } else { &self.http };
        let request = build(request, url)?;
        let mut response = client.execute(request).await.map_err(|error| classify(&error, url))?;
        watch.note(Mark::FirstByte);
        let (headers, headers_cut) = recorded_headers(response.headers());
        let status = response.status().as_u16();
        let (body, body_cut) = read(&mut response).await.map_err(|error| classify(&error, url))?;
        // Dropped with a part unread, the connection closes; read to its end, it goes back to the pool.
        Ok(RecordedResponse { status, headers, body: body.freeze(), truncated: headers_cut || body_cut })
    }
}

#[async_trait]
impl Sender for GuardedClient {
    async fn send(&self, request: Request) -> Sent {
        let watch = Stopwatch::start(request.connect);
        let timeout = request.timeout;
        let result = match check_url(&request.url, self.plain_http, &self.guards) {
            Err(reason) => Err(refused(&reason)),
            Ok(url) => {
                let call = watch.measure(self.call(request, &url, &watch));
                tokio::time::timeout(timeout, call).await.unwrap_or_else(|_| {
                    let message =
                        format!("{}: no complete answer within {timeout:?}: {}", place(&url), watch.phase());
                    Err(Failure { kind: FailureKind::Timeout, message })
                })
            }
        };
        Sent { result, timings: watch.timings() }
    }
}

/// Proxies of the environment would connect past the guard, redirects lead past it, and a retry would be a call that no
/// record shows. Nothing is decompressed, because the features for it are not compiled in.
fn client(resolver: GuardedResolver) -> impl Fn() -> ClientBuilder {
    let resolver = Arc::new(resolver);
    move || {
        Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_FOR)
            .tcp_nodelay(true)
            .dns_resolver(Arc::clone(&resolver))
            .connector_layer(TimeConnections)
    }
}

fn build(request: Request, url: &Url) -> Result<reqwest::Request, Failure> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| unusable(format!("{:?} is no HTTP method", request.method)))?;
    let mut built = reqwest::Request::new(method, url.clone());
    let mut in_chunks = false;
    for (name, value) in &request.headers {
        // HTTP/2 frames bodies in its own way, so that the header itself is the connection's to write.
        if name.eq_ignore_ascii_case("transfer-encoding") {
            in_chunks = value.eq_ignore_ascii_case("chunked");
            continue;
        }
        let shown = || name.chars().take(64).collect::<String>();
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| unusable(format!("{:?} is no header name", shown())))?;
        let value = HeaderValue::try_from(value.as_str())
            .map_err(|_| unusable(format!("the value of header {:?} cannot be sent", shown())))?;
        built.headers_mut().append(header, value);
    }
    *built.body_mut() = request.body.map(|body| if in_chunks { unsized_body(body) } else { body.into() });
    Ok(built)
}

/// A body whose length is not said.
fn unsized_body(body: Bytes) -> Body {
    Body::wrap_stream(futures::stream::once(async move { Ok::<_, Infallible>(body) }))
}

/// Headers in the order received, and whether some were left out. Bytes that are no UTF-8 are replaced.
fn recorded_headers(headers: &HeaderMap) -> (Vec<(String, String)>, bool) {
    let mut kept = Vec::with_capacity(headers.len());
    let mut size = 0;
    for (name, value) in headers {
        size += name.as_str().len() + value.len();
        if size > RESPONSE_HEADERS_LIMIT {
            return (kept, true);
        }
        kept.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    (kept, false)
}

/// Reads up to [`RESPONSE_LIMIT`] bytes, and says whether there was more.
async fn read(response: &mut Response) -> Result<(BytesMut, bool), reqwest::Error> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = RESPONSE_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            return Ok((body, true));
        }
    }
    Ok((body, false))
}
