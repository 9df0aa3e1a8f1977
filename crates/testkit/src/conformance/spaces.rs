//! The suite for spaces.

use std::time::Duration;

use postrider_domain::id::EnvironmentId;
use postrider_domain::space::SpaceSettings;
use postrider_ports::access::{Space, Spaces};

use super::{Bench, Checked, ensure, same, suite};
use crate::builders::{settings, space};
use crate::clock::START;

suite!(
    "spaces",
    dyn Spaces,
    [
        a_space_is_found_by_its_id,
        putting_it_again_changes_name_and_environments_and_nothing_else,
        spaces_are_listed_by_id,
        settings_are_the_default_until_they_are_put_and_read_back_as_they_were,
        settings_need_the_expected_version,
        of_two_who_put_settings_at_once_one_wins,
    ]
);

type SpacesBench<'h> = Bench<'h, dyn Spaces>;

fn named(id: &str, name: &str) -> Space {
    Space {
        id: space(id),
        name: name.to_owned(),
        environments: vec![EnvironmentId::master()],
        created_at: START,
    }
}

async fn a_space_is_found_by_its_id(bench: &SpacesBench<'_>) -> Checked {
    bench.on.put_space(&named("a", "Ä \"quoted\"")).await?;
    same!(bench.on.space(&space("a")).await?, Some(named("a", "Ä \"quoted\"")), "the space");
    same!(bench.on.space(&space("b")).await?, None, "an unknown space");
    Ok(())
}

async fn putting_it_again_changes_name_and_environments_and_nothing_else(bench: &SpacesBench<'_>) -> Checked {
    bench.on.put_space(&named("a", "Before")).await?;
    let staging = EnvironmentId::new("staging").expect("a valid id");
    let environments = vec![EnvironmentId::master(), staging];
    let later = START.plus(Duration::from_secs(9));
    let after = Space { environments: environments.clone(), created_at: later, ..named("a", "After") };
    bench.on.put_space(&after).await?;
    let expected = Space { environments, ..named("a", "After") };
    same!(bench.on.space(&space("a")).await?, Some(expected), "the space, made when it was first put");
    same!(bench.on.spaces().await?.len(), 1, "spaces");
    Ok(())
}

async fn spaces_are_listed_by_id(bench: &SpacesBench<'_>) -> Checked {
    for id in ["b", "c", "a"] {
        bench.on.put_space(&named(id, "x")).await?;
    }
    let listed: Vec<_> = bench.on.spaces().await?.into_iter().map(|one| one.id.to_string()).collect();
    same!(listed, ["a", "b", "c"], "the list");
    Ok(())
}

async fn settings_are_the_default_until_they_are_put_and_read_back_as_they_were(
    bench: &SpacesBench<'_>,
) -> Checked {
    same!(bench.on.settings(&space("a")).await?, SpaceSettings::default(), "settings that were never put");
    ensure!(bench.on.put_settings(&space("a"), &settings(1), 0).await?, "the first ones replace version 0");
    same!(bench.on.settings(&space("a")).await?, settings(1), "the settings");
    same!(bench.on.settings(&space("b")).await?, SpaceSettings::default(), "those of another space");
    Ok(())
}

async fn settings_need_the_expected_version(bench: &SpacesBench<'_>) -> Checked {
    let put =
        async |version, expected| bench.on.put_settings(&space("a"), &settings(version), expected).await;
    ensure!(!put(8, 7).await?, "there is no version 7 to replace");
    same!(bench.on.settings(&space("a")).await?, SpaceSettings::default(), "settings that were never put");
    ensure!(put(1, 0).await? && put(2, 1).await?, "each replaces the one before");
    ensure!(!put(2, 0).await?, "version 0 is gone");
    ensure!(!put(3, 1).await?, "version 1 is gone");
    same!(bench.on.settings(&space("a")).await?, settings(2), "the settings");
    Ok(())
}

async fn of_two_who_put_settings_at_once_one_wins(bench: &SpacesBench<'_>) -> Checked {
    for expected in [0, 1] {
        let (a, both) = (space("a"), settings(expected + 1));
        let put = || bench.on.put_settings(&a, &both, expected);
        let (one, other) = tokio::join!(put(), put());
        same!(u8::from(one?) + u8::from(other?), 1, "who replaced the same version");
    }
    Ok(())
}
