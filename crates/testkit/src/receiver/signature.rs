//! Signatures as a receiver checks them, written from the specifications alone and sharing no code with the signing side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::ReceivedRequest;

/// Checks a request as the Standard Webhooks specification tells receivers to
/// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>): one of the signatures
/// in `webhook-signature` must be `v1,` and the Base64 of HMAC-SHA256(`id.timestamp.body`). The age of the timestamp is
/// left to the test.
pub fn verify_standard_webhooks(request: &ReceivedRequest, secret: &str) -> Result<(), String> {
    let needed = |name: &str| request.header(name).ok_or_else(|| format!("header {name} is missing"));
    let (id, timestamp) = (needed("webhook-id")?, needed("webhook-timestamp")?);
    timestamp.parse::<u64>().map_err(|_| format!("{timestamp:?} is no Unix time in seconds"))?;
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|error| format!("the secret: {error}"))?,
        None => secret.as_bytes().to_vec(),
    };
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &request.body].concat();
    let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(&key, &content)?));
    let given = needed("webhook-signature")?;
    if given.split(' ').any(|one| one == expected) {
        return Ok(());
    }
    Err(format!("none of the signatures {given:?} is that of id, timestamp and body under this secret"))
}

/// Checks a request as CometCMS's documentation tells receivers to: `X-CometCMS-Signature` is `sha256=` and the
/// hexadecimal HMAC-SHA256 of the body.
pub fn verify_cometcms(request: &ReceivedRequest, secret: &str) -> Result<(), String> {
    let given = request.header("X-CometCMS-Signature").ok_or("header X-CometCMS-Signature is missing")?;
    let expected = format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), &request.body)?));
    if given == expected {
        return Ok(());
    }
    Err(format!("the signature {given:?} is not that of the body under this secret"))
}

fn hmac_sha256(key: &[u8], content: &[u8]) -> Result<Vec<u8>, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    mac.update(content);
    Ok(mac.finalize().into_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use tokio::time::Instant;

    fn request(headers: &[(&str, &str)], body: &'static str) -> ReceivedRequest {
        ReceivedRequest {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Bytes::from_static(body.as_bytes()),
            at: Instant::now(),
        }
    }

    #[test]
    fn the_example_of_standard_webhooks_verifies_and_any_change_does_not() {
        // The test vector of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature =
            "v1,bm9ldHUjKzFob2VudXRob2VodWUzMjRvdWVvdW9ldQo= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let with = |body| {
            request(
                &[
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
                    ("Webhook-Timestamp", "1614265330"),
                    ("webhook-signature", signature),
                ],
                body,
            )
        };
        assert_eq!(verify_standard_webhooks(&with(r#"{"test": 2432232314}"#), secret), Ok(()));
        assert!(verify_standard_webhooks(&with(r#"{"test": 2432232315}"#), secret).is_err());
        assert!(verify_standard_webhooks(&with(r#"{"test": 2432232314}"#), "whsec_AAAA").is_err());
        assert!(verify_standard_webhooks(&request(&[], ""), secret).is_err());
    }

    #[test]
    fn a_body_signed_as_cometcms_does_verifies_and_any_change_does_not() {
        // RFC 4231, test case 2.
        let digest = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let with = |body| request(&[("x-cometcms-signature", digest)], body);
        assert_eq!(verify_cometcms(&with("what do ya want for nothing?"), "Jefe"), Ok(()));
        assert!(verify_cometcms(&with("what do ya want for nothing!"), "Jefe").is_err());
        assert!(verify_cometcms(&with("what do ya want for nothing?"), "Jeff").is_err());
    }
}
