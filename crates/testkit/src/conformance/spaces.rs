//! The suite for spaces.

use std::time::Duration;

use postrider_domain::id::EnvironmentId;
use postrider_ports::access::{Space, Spaces};

use super::{Bench, Checked, same, suite};
use crate::builders::space;
use crate::clock::START;

suite!(
    "spaces",
    dyn Spaces,
    [
        a_space_is_found_by_its_id,
        putting_it_again_changes_name_and_environments_and_nothing_else,
        spaces_are_listed_by_id,
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
