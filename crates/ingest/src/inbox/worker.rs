//! The two jobs of the door: to read what arrived, and to accept what was read. Each ends the leases of what it is done
//! with.

use std::collections::{HashMap, HashSet};

use futures::future::join_all;
use postrider_domain::id::{EnvironmentId, Scope, SpaceId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::inbox::Arrived;
use tracing::warn;

use super::input;
use super::routing_key::RoutingKey;
use super::waiting::{Held, Taken};
use crate::accept::{Acceptor, Batch};
use crate::access::Access;
use crate::problem::{Kind, Problem};
use crate::{Deps, Settings};

/// What the jobs stand on.
pub(super) struct Worker<'d> {
    pub(super) settings: &'d Settings,
    pub(super) deps: &'d Deps,
    access: Access,
    acceptor: Acceptor,
}

/// What came of a job.
#[derive(Default)]
pub(super) struct Done {
    /// Read and to be accepted, by another job.
    pub(super) read: Vec<Taken>,
    /// How many inputs have come to their end, whatever end, and the bytes of their bodies.
    pub(super) ended: usize,
    pub(super) ended_bytes: usize,
    /// How many of them were accepted.
    pub(super) accepted: usize,
    /// What hindered it.
    pub(super) trouble: Option<String>,
}

/// Spaces and environments that were named, each with what was found there.
type Places = HashMap<(SpaceId, EnvironmentId), Result<Scope, Problem>>;

/// How an input ends.
enum End {
    Ack,
    Park(String),
    Reject(String),
    Release,
}

impl<'d> Worker<'d> {
    pub(super) fn new(settings: &'d Settings, deps: &'d Deps) -> Self {
        let access = Access::new(deps, settings);
        Self { settings, deps, access, acceptor: Acceptor::new(deps) }
    }

    /// Reads inputs. What cannot be read is ended here.
    pub(super) async fn read(&self, arrived: Vec<Arrived>) -> Done {
        let now = self.deps.clock.now();
        let keys = arrived.iter().map(|one| RoutingKey::parse(&one.routing_key)).collect::<Vec<_>>();
        let places = self.look_up(keys.iter().flatten()).await;
        let (mut done, mut endings) = (Done::default(), Vec::new());
        for (one, key) in arrived.into_iter().zip(keys) {
            let read = key.and_then(|key| self.read_one(&one, &key, &places, now));
            let bytes = one.body.len();
            let held = Held { routing_key: one.routing_key, lease: one.lease, bytes };
            match read {
                Ok((space, batch)) => done.read.push(Taken { space, batch, held }),
                Err(problem) => endings.push((done.judge(&problem, &held.routing_key), held)),
            }
        }
        done.end(endings).await;
        done
    }

    /// Accepts inputs of one space, and ends them.
    pub(super) async fn accept(&self, space: SpaceId, taken: Vec<Taken>) -> Done {
        let now = self.deps.clock.now();
        let (batches, held) =
            taken.into_iter().map(|one| (one.batch, one.held)).unzip::<_, _, Vec<_>, Vec<_>>();
        let answers = self.acceptor.accept_each(&space, &batches, now).await;
        let mut done = Done::default();
        let mut endings = Vec::with_capacity(held.len());
        for (answer, held) in answers.into_iter().zip(held) {
            let end = match answer {
                Ok(_) => {
                    done.accepted += 1;
                    End::Ack
                }
                Err(problem) => done.judge(&problem, &held.routing_key),
            };
            endings.push((end, held));
        }
        done.end(endings).await;
        done
    }

    /// Looks every place up once.
    async fn look_up(&self, keys: impl Iterator<Item = &RoutingKey>) -> Places {
        let places = keys.map(|key| (key.space.clone(), key.environment.clone())).collect::<HashSet<_>>();
        let found = places.into_iter().map(|place| async {
            let found = self.access.within(place.0.clone(), place.1.as_str()).await;
            let found = found.and_then(|scope| scope.ok_or_else(|| no_space(&place.0)));
            (place, found)
        });
        join_all(found).await.into_iter().collect()
    }

    fn read_one(
        &self,
        arrived: &Arrived,
        key: &RoutingKey,
        places: &Places,
        now: Timestamp,
    ) -> Result<(SpaceId, Batch), Problem> {
        let place = places.get(&(key.space.clone(), key.environment.clone()));
        let scope = place.expect("the place of every key was looked up").as_ref().map_err(Problem::clone)?;
        let batch = input::read((self.settings, self.deps), (key, scope), arrived, now)?;
        Ok((key.space.clone(), batch))
    }
}

impl Done {
    /// How an input with this problem ends: what is malformed waits for a person, what is our own trouble does not.
    fn judge(&mut self, problem: &Problem, routing_key: &str) -> End {
        match problem.kind {
            Kind::Unavailable => {
                self.trouble = Some(format!("inputs cannot be accepted: {problem}"));
                End::Release
            }
            // It fails for good, and perhaps only this one: the queue counts, and parks it in the end.
            Kind::Internal => {
                self.trouble = Some(format!("inputs cannot be accepted: {problem}"));
                End::Reject(reason(problem, routing_key))
            }
            _ => {
                warn!(routing_key, code = problem.kind.code(), "an input is malformed and is parked");
                End::Park(reason(problem, routing_key))
            }
        }
    }

    /// Ends leases, all at once, so that the queue can group them.
    async fn end(&mut self, endings: Vec<(End, Held)>) {
        self.ended += endings.len();
        self.ended_bytes += endings.iter().map(|(_, held)| held.bytes).sum::<usize>();
        let ending = endings.into_iter().map(|(end, held)| async {
            match end {
                End::Ack => held.lease.ack().await,
                End::Park(reason) => held.lease.park(&reason).await,
                End::Reject(reason) => held.lease.reject(&reason).await,
                End::Release => held.lease.release().await,
            }
        });
        // What could not be ended comes again, and is recognised.
        if let Some(fault) = join_all(ending).await.into_iter().find_map(Result::err) {
            self.trouble = Some(format!("inputs cannot be settled: {fault}"));
        }
    }
}

fn reason(problem: &Problem, routing_key: &str) -> String {
    format!("published with the routing key {routing_key:?}: {}", problem.as_reason())
}

fn no_space(space: &SpaceId) -> Problem {
    let fix = "make the space, or correct the routing key {space}.{environment}.{Type}.{action}";
    Problem::new(Kind::NotFound, format!("there is no space {:?}", space.as_str()), fix)
}
