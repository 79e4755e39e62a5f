//! Breadth-first exploration of every reachable state of a machine.
//!
//! The first violation found is one with the fewest actions. Besides properties of states it checks
//! that the machine comes to rest: from every reachable state its duties alone, without another
//! fault or request, lead to a state in which no duty is left. A library such as `stateright`
//! checks states and paths, but not this; the explorer is smaller than the code that would adapt
//! one.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::time::{Duration, Instant};

/// What is explored.
pub trait Machine {
    /// A state. Two states that are equal for every action and property must be equal.
    type State: Clone + Eq + Hash;
    /// One effect, or one fault.
    type Action: Copy;

    /// The first state.
    fn first(&self) -> Self::State;

    /// The actions that a state allows. One that changes nothing may be among them.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// The state after an action.
    fn after(&self, state: &Self::State, action: Self::Action) -> Self::State;

    /// Whether the system does it without a request or a fault. The machine is at rest where no
    /// such action changes the state.
    fn is_duty(&self, action: Self::Action) -> bool;

    /// What a step breaks, if anything.
    fn broken(&self, before: &Self::State, after: &Self::State) -> Option<&'static str>;

    /// What is not settled in a state of rest, if anything.
    fn unsettled(&self, state: &Self::State) -> Option<&'static str>;

    /// A line of a trace: the action, as applied to a state.
    fn describe(&self, state: &Self::State, action: Self::Action) -> String;
}

/// The result of an exploration.
#[derive(Debug, Clone)]
pub struct Exploration {
    /// Distinct states found.
    pub states: usize,
    /// States in which the machine is at rest.
    pub at_rest: usize,
    /// Steps between states that differ.
    pub steps: usize,
    /// Greatest number of actions to a state.
    pub depth: u32,
    /// Duration.
    pub time: Duration,
    /// Whether the exploration ended at its limit, before it had found every state.
    pub exceeded: bool,
    /// The first violation found, with the fewest actions.
    pub violation: Option<Violation>,
}

/// A violation and how it comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The property.
    pub what: &'static str,
    /// The actions from the first state.
    pub trace: Vec<String>,
}

/// A state that was found: how it was reached first.
struct Found {
    parent: u32,
    action: u16,
    depth: u32,
}

/// Explores all states of a machine, or those before the first violation, or about `limit` states.
pub fn explore<M: Machine>(machine: &M, limit: usize) -> Exploration {
    let began = Instant::now();
    let first = machine.first();
    let mut known: HashMap<u64, u32, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    known.insert(fingerprint(&first), 0);
    let mut found = vec![Found {
        parent: 0,
        action: 0,
        depth: 0,
    }];
    let mut frontier = VecDeque::from([(0_u32, first)]);
    let (mut actions, mut duties) = (Vec::new(), Vec::new());
    let (mut resting, mut steps) = (Vec::new(), 0);
    let mut broken: Option<(u32, Option<u16>, &'static str)> = None;
    let mut exceeded = false;
    'search: while let Some((at, state)) = frontier.pop_front() {
        actions.clear();
        machine.actions(&state, &mut actions);
        let mut is_at_rest = true;
        for (n, action) in actions.iter().enumerate() {
            let next = machine.after(&state, *action);
            if next == state {
                continue;
            }
            steps += 1;
            if let Some(what) = machine.broken(&state, &next) {
                broken = Some((at, Some(n as u16), what));
                break 'search;
            }
            let to = match known.entry(fingerprint(&next)) {
                Entry::Occupied(entry) => *entry.get(),
                Entry::Vacant(entry) => {
                    let to = found.len() as u32;
                    entry.insert(to);
                    found.push(Found {
                        parent: at,
                        action: n as u16,
                        depth: found[at as usize].depth + 1,
                    });
                    frontier.push_back((to, next));
                    to
                }
            };
            if machine.is_duty(*action) {
                is_at_rest = false;
                duties.push((at, to));
            }
        }
        if is_at_rest {
            resting.push(at);
            if let Some(what) = machine.unsettled(&state) {
                broken = Some((at, None, what));
                break;
            }
        }
        if found.len() > limit {
            exceeded = true;
            break;
        }
    }
    if broken.is_none() && !exceeded {
        broken = restless(found.len(), &resting, duties)
            .map(|at| (at, None, "the system never comes to rest from this state"));
    }
    Exploration {
        states: found.len(),
        at_rest: resting.len(),
        steps,
        depth: found.last().map_or(0, |last| last.depth),
        time: began.elapsed(),
        exceeded,
        violation: broken.map(|(at, last, what)| Violation {
            what,
            trace: trace(machine, &found, at, last),
        }),
    }
}

fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// The first state from which duties lead to none of the resting states.
fn restless(states: usize, resting: &[u32], mut duties: Vec<(u32, u32)>) -> Option<u32> {
    duties.sort_unstable_by_key(|(_, to)| *to);
    let mut rests = vec![false; states];
    let mut open = resting.to_vec();
    for at in resting {
        rests[*at as usize] = true;
    }
    while let Some(at) = open.pop() {
        let first = duties.partition_point(|(_, to)| *to < at);
        for (from, _) in duties[first..].iter().take_while(|(_, to)| *to == at) {
            if !std::mem::replace(&mut rests[*from as usize], true) {
                open.push(*from);
            }
        }
    }
    rests.iter().position(|rests| !rests).map(|at| at as u32)
}

/// The actions to a state, and one more.
fn trace<M: Machine>(machine: &M, found: &[Found], mut at: u32, last: Option<u16>) -> Vec<String> {
    let mut path: Vec<u16> = last.into_iter().collect();
    while at != 0 {
        let Found { parent, action, .. } = found[at as usize];
        path.push(action);
        at = parent;
    }
    let mut state = machine.first();
    let mut lines = Vec::with_capacity(path.len());
    for n in path.into_iter().rev() {
        let mut actions = Vec::new();
        machine.actions(&state, &mut actions);
        let action = actions[usize::from(n)];
        lines.push(machine.describe(&state, action));
        state = machine.after(&state, action);
    }
    lines
}
