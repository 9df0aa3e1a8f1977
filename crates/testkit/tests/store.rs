//! The fake store passes its suites, and broken ones are rejected by the case that is about what they break.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, TokenId, WebhookId};
use postrider_domain::space::{SpaceConstants, SpaceSettings};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Token;
use postrider_domain::webhook::{Disabled, Webhook};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::error::PortResult;
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_ports::subscriptions::{Change, Changes, Snapshot, Subscriptions};
use postrider_testkit::conformance;
use postrider_testkit::store::MemoryStore;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    OverwritesOnCreate,
    IgnoresVersions,
    DeleteForgetsTheLastForm,
    ListsOldestFirst,
    DisablesAgain,
    MixesSpaces,
    VersionStandsStill,
    ChangesForgetDeletions,
    NeverIncomplete,
    NeverHints,
    TakesAnyToken,
    UnorderedTokens,
    ForgetsRevoked,
    MovesRevocation,
    KeepsTheOldName,
    UnorderedSpaces,
    ForgetsSignatures,
    UpdateCreates,
    NeverComplete,
    FindsAnything,
    ForgetsSettings,
    SettingsIgnoreVersions,
    SettingsLastOneWins,
    SettingsInSilence,
    LoadsNoSettings,
}

struct Flawed(MemoryStore, Flaw);

#[async_trait]
impl Registry for Flawed {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        if self.1 == Flaw::OverwritesOnCreate {
            self.0.delete(&webhook.space, &webhook.id, None).await?;
        }
        self.0.create(webhook).await
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        if self.1 == Flaw::UpdateCreates && self.0.get(&webhook.space, &webhook.id).await?.is_none() {
            self.0.create(webhook).await?;
            return Ok(Written::Done(Box::new(webhook.clone())));
        }
        if self.1 == Flaw::IgnoresVersions {
            let known = self.0.get(&webhook.space, &webhook.id).await?;
            return self.0.update(webhook, known.map_or(0, |known| known.version)).await;
        }
        self.0.update(webhook, expected).await
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        let expected = expected.filter(|_| self.1 != Flaw::IgnoresVersions);
        let deleted = self.0.delete(space, id, expected).await?;
        Ok(if self.1 == Flaw::DeleteForgetsTheLastForm { Written::Missing } else { deleted })
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        let mut found = self.0.get(space, id).await?;
        if let (Flaw::ForgetsSignatures, Some(webhook)) = (self.1, &mut found) {
            webhook.signing.clear();
        }
        Ok(found)
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        let (mut page, total) = Registry::list(&self.0, space, skip, limit).await?;
        if self.1 == Flaw::ListsOldestFirst {
            page.reverse();
        }
        Ok((page, total))
    }
}

#[async_trait]
impl Disable for Flawed {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        Ok(self.0.disable(space, id, why).await? || self.1 == Flaw::DisablesAgain)
    }
}

#[async_trait]
impl Subscriptions for Flawed {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        let mut snapshot = self.0.load(space).await?;
        if self.1 == Flaw::MixesSpaces {
            let other = SpaceId::new("other").expect("a valid id");
            snapshot.webhooks.extend(self.0.load(&other).await?.webhooks);
        }
        if self.1 == Flaw::LoadsNoSettings {
            snapshot.settings = SpaceSettings::default();
        }
        Ok(snapshot)
    }

    async fn version(&self) -> PortResult<u64> {
        if self.1 == Flaw::VersionStandsStill { Ok(1) } else { self.0.version().await }
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        let mut changes = self.0.changes_since(version).await?;
        match self.1 {
            Flaw::ChangesForgetDeletions => {
                changes.changed.retain(|(_, change)| !matches!(change, Change::Webhook(_, None)));
            }
            Flaw::SettingsInSilence => {
                changes.changed.retain(|(_, change)| !matches!(change, Change::Settings(_)));
            }
            Flaw::NeverIncomplete => changes.incomplete = false,
            Flaw::NeverComplete => changes.incomplete = true,
            _ => {}
        }
        Ok(changes)
    }

    async fn hint(&self) {
        if self.1 == Flaw::NeverHints {
            futures::future::pending::<()>().await;
        }
        self.0.hint().await;
    }
}

#[async_trait]
impl Tokens for Flawed {
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>> {
        let mut found = self.0.find(sha256).await?;
        if self.1 == Flaw::FindsAnything {
            found = Tokens::list(&self.0).await?.pop();
        }
        Ok(found.filter(|token| self.1 != Flaw::ForgetsRevoked || token.revoked_at.is_none()))
    }

    async fn insert(&self, token: &Token) -> PortResult<()> {
        let done = self.0.insert(token).await;
        if self.1 == Flaw::TakesAnyToken { Ok(()) } else { done }
    }

    async fn list(&self) -> PortResult<Vec<Token>> {
        let mut tokens = Tokens::list(&self.0).await?;
        if self.1 == Flaw::UnorderedTokens {
            tokens.reverse();
        }
        Ok(tokens)
    }

    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool> {
        // Says that it did even when there is nothing to revoke.
        Ok(self.0.revoke(id, at).await? || self.1 == Flaw::MovesRevocation)
    }
}

#[async_trait]
impl Spaces for Flawed {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        match self.1 {
            Flaw::FindsAnything => Ok(self.0.spaces().await?.pop()),
            _ => self.0.space(id).await,
        }
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        let mut spaces = self.0.spaces().await?;
        if self.1 == Flaw::UnorderedSpaces {
            spaces.reverse();
        }
        Ok(spaces)
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        if self.1 == Flaw::KeepsTheOldName && self.0.space(&space.id).await?.is_some() {
            return Ok(());
        }
        self.0.put_space(space).await
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        let mut settings = self.0.settings(id).await?;
        if self.1 == Flaw::ForgetsSettings {
            settings.constants = SpaceConstants::default();
        }
        Ok(settings)
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        match self.1 {
            Flaw::SettingsIgnoreVersions => {
                let version = self.0.settings(id).await?.version;
                self.0.put_settings(id, settings, version).await
            }
            // Looks, and writes later whatever happened in between.
            Flaw::SettingsLastOneWins => {
                let is_expected = self.0.settings(id).await?.version == expected;
                tokio::task::yield_now().await;
                let version = self.0.settings(id).await?.version;
                Ok(is_expected && self.0.put_settings(id, settings, version).await?)
            }
            _ => self.0.put_settings(id, settings, expected).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_fake_store_passes() {
    conformance::registry::run(&|_| Arc::new(MemoryStore::new()) as _).await;
    conformance::subscriptions::run(&|_| Arc::new(MemoryStore::new()) as _).await;
    conformance::tokens::run(&|_| Arc::new(MemoryStore::new()) as _).await;
    conformance::spaces::run(&|_| Arc::new(MemoryStore::new()) as _).await;
}

macro_rules! rejects {
    ($($test:ident: $suite:ident { $($flaw:ident => $case:literal),+ $(,)? })+) => {$(
        #[tokio::test(start_paused = true)]
        async fn $test() {
            $(
                let harness = |_| Arc::new(Flawed(MemoryStore::new(), Flaw::$flaw)) as _;
                conformance::$suite::check(&harness).await.assert_rejected($case);
            )+
        }
    )+};
}

rejects! {
    the_suite_for_the_registry_rejects_what_is_broken: registry {
        OverwritesOnCreate => "a_taken_id_is_a_conflict_but_only_in_its_space",
        ForgetsSignatures => "a_webhook_is_read_back_as_it_was_made",
        UpdateCreates => "what_does_not_exist_is_missing",
        IgnoresVersions => "an_update_needs_the_expected_version",
        IgnoresVersions => "of_two_updates_at_once_one_wins",
        IgnoresVersions => "a_delete_can_insist_on_a_version",
        DeleteForgetsTheLastForm => "a_delete_returns_the_last_form",
        ListsOldestFirst => "webhooks_are_listed_newest_first_with_their_number",
        DisablesAgain => "disabling_happens_once_and_grows_the_version",
    }
    the_suite_for_subscriptions_rejects_what_is_broken: subscriptions {
        MixesSpaces => "a_space_is_loaded_with_its_version_and_nothing_of_others",
        VersionStandsStill => "every_change_grows_the_version_and_nothing_else_does",
        ChangesForgetDeletions => "changes_name_each_webhook_once_in_its_present_form",
        NeverComplete => "no_change_is_an_empty_and_complete_list",
        NeverIncomplete => "a_version_that_was_never_given_is_answered_as_incomplete",
        NeverHints => "a_change_hints",
        LoadsNoSettings => "settings_are_loaded_with_their_space",
        SettingsInSilence => "a_change_of_settings_is_a_change",
    }
    the_suite_for_tokens_rejects_what_is_broken: tokens {
        FindsAnything => "a_token_is_found_by_its_hash_alone",
        TakesAnyToken => "a_taken_id_or_hash_is_a_conflict",
        UnorderedTokens => "tokens_are_listed_oldest_first",
        ForgetsRevoked => "a_revoked_token_is_still_found_and_says_since_when",
        MovesRevocation => "what_does_not_exist_cannot_be_revoked",
    }
    the_suite_for_spaces_rejects_what_is_broken: spaces {
        FindsAnything => "a_space_is_found_by_its_id",
        KeepsTheOldName => "putting_it_again_changes_name_and_environments_and_nothing_else",
        UnorderedSpaces => "spaces_are_listed_by_id",
        ForgetsSettings => "settings_are_the_default_until_they_are_put_and_read_back_as_they_were",
        SettingsIgnoreVersions => "settings_need_the_expected_version",
        SettingsLastOneWins => "of_two_who_put_settings_at_once_one_wins",
    }
}
