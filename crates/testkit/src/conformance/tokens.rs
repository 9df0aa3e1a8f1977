//! The suite for tokens.

use std::time::Duration;

use postrider_domain::id::TokenId;
use postrider_domain::token::{Grant, Role, Token};
use postrider_ports::access::Tokens;
use postrider_ports::error::PortErrorKind;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::space;
use crate::clock::START;

suite!(
    "tokens",
    dyn Tokens,
    [
        a_token_is_found_by_its_hash_alone,
        a_taken_id_or_hash_is_a_conflict,
        tokens_are_listed_oldest_first,
        a_revoked_token_is_still_found_and_says_since_when,
        what_does_not_exist_cannot_be_revoked,
    ]
);

type TokensBench<'h> = Bench<'h, dyn Tokens>;

/// The nth token: made n seconds after [`START`], its hash n times 32.
fn token(number: u8) -> Token {
    Token {
        id: TokenId::new(&format!("t{number}")).expect("a valid id"),
        sha256: [number; 32],
        prefix: format!("pr_{number}"),
        name: format!("Token {number}"),
        grant: Grant { space: Some(space("default")), role: Role::Editor },
        created_at: START.plus(Duration::from_secs(u64::from(number))),
        expires_at: Some(START.plus(Duration::from_secs(3600))),
        revoked_at: None,
    }
}

async fn a_token_is_found_by_its_hash_alone(bench: &TokensBench<'_>) -> Checked {
    let instance = Token { grant: Grant { space: None, role: Role::Admin }, expires_at: None, ..token(2) };
    bench.on.insert(&token(1)).await?;
    bench.on.insert(&instance).await?;
    same!(bench.on.find(&[1; 32]).await?, Some(token(1)), "the token of a space");
    same!(bench.on.find(&[2; 32]).await?, Some(instance), "the token of the instance");
    same!(bench.on.find(&[3; 32]).await?, None, "an unknown hash");
    Ok(())
}

async fn a_taken_id_or_hash_is_a_conflict(bench: &TokensBench<'_>) -> Checked {
    bench.on.insert(&token(1)).await?;
    for (what, taken) in
        [("id", Token { sha256: [9; 32], ..token(1) }), ("hash", Token { id: token(9).id, ..token(1) })]
    {
        let Err(error) = bench.on.insert(&taken).await else {
            return Err(Fault::new(format!("a second token of the same {what} was taken")));
        };
        same!(error.kind, PortErrorKind::Conflict, "the kind of error for a taken {what}");
    }
    same!(bench.on.list().await?, [token(1)], "what is there");
    Ok(())
}

async fn tokens_are_listed_oldest_first(bench: &TokensBench<'_>) -> Checked {
    for number in [2, 3, 1] {
        bench.on.insert(&token(number)).await?;
    }
    same!(bench.on.list().await?, [token(1), token(2), token(3)], "the list");
    Ok(())
}

async fn a_revoked_token_is_still_found_and_says_since_when(bench: &TokensBench<'_>) -> Checked {
    bench.on.insert(&token(1)).await?;
    let at = START.plus(Duration::from_secs(100));
    ensure!(bench.on.revoke(&token(1).id, at).await?, "it is there to be revoked");
    let revoked = Token { revoked_at: Some(at), ..token(1) };
    same!(bench.on.find(&[1; 32]).await?, Some(revoked.clone()), "the revoked token");
    ensure!(bench.on.revoke(&token(1).id, at.plus(Duration::from_secs(1))).await?, "revoking again is fine");
    same!(bench.on.find(&[1; 32]).await?, Some(revoked), "revoked once, it stays revoked since then");
    Ok(())
}

async fn what_does_not_exist_cannot_be_revoked(bench: &TokensBench<'_>) -> Checked {
    ensure!(!bench.on.revoke(&token(1).id, START).await?, "there is nothing to revoke");
    Ok(())
}
