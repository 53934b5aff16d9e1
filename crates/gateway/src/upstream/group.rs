//! Who of several backends gets a request.

use super::Backend;
use proxima_types::gateway_config::Balance;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The longest row of turns; weights that make a longer one are rounded.
const MOST_TURNS: u32 = 4096;

#[derive(Debug)]
struct Member {
    backend: Arc<Backend>,
    weight: u16,
}

/// The backends of a pool, or one alone.
#[derive(Debug)]
pub(crate) struct Group {
    members: Vec<Member>,
    balance: Balance,
    /// Whose turn it is, one after the other, as often as it weighs and as evenly spread as can be.
    turns: Vec<u16>,
    next: AtomicUsize,
}

impl Group {
    pub fn alone(backend: Arc<Backend>) -> Self {
        Self::new(vec![(backend, 1)], Balance::RoundRobin)
    }

    /// Of at least one.
    pub fn new(members: Vec<(Arc<Backend>, u16)>, balance: Balance) -> Self {
        let weights: Vec<u16> = members.iter().map(|member| member.1).collect();
        let members = members.into_iter().map(|(backend, weight)| Member { backend, weight }).collect();
        Self { members, balance, turns: turns(&weights), next: AtomicUsize::new(0) }
    }

    pub fn backends(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.members.iter().map(|member| &member.backend)
    }

    /// The one that gets the next request, of those that were not `tried` for it. When none is well somebody gets it all the
    /// same: they may all be wrongly thought ill. `None`: all were tried.
    pub fn pick(&self, tried: &[Arc<Backend>]) -> Option<&Arc<Backend>> {
        if let [only] = self.members.as_slice() {
            return Some(&only.backend).filter(|_| tried.is_empty());
        }
        let fresh = |member: &Member| !tried.iter().any(|other| Arc::ptr_eq(other, &member.backend));
        self.choose(|member| fresh(member) && member.backend.health.is_usable()).or_else(|| self.choose(fresh))
    }

    fn choose(&self, fits: impl Fn(&Member) -> bool) -> Option<&Arc<Backend>> {
        let first = self.next.fetch_add(1, Relaxed);
        match self.balance {
            Balance::RoundRobin => {
                let turn = |at: usize| self.members.get(usize::from(self.turns[(first + at) % self.turns.len()]));
                (0..self.turns.len()).filter_map(turn).find(|member| fits(member)).map(|member| &member.backend)
            }
            Balance::LeastConnections => {
                let count = self.members.len();
                let turn = |at: usize| &self.members[(first + at) % count];
                let load = |member: &&Member| {
                    // Thousandths of a request for each unit of weight.
                    (member.backend.health.under_way() + 1) * 1000 / usize::from(member.weight.max(1))
                };
                (0..count).map(turn).filter(|member| fits(member)).min_by_key(load).map(|member| &member.backend)
            }
        }
    }
}

/// Smooth weighted round robin, written out: of 5, 1 and 1 it makes a a b a c a a.
fn turns(weights: &[u16]) -> Vec<u16> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let sum: u32 = weights.iter().map(|weight| u32::from(weight / divisor)).sum();
    let shrink = sum.div_ceil(MOST_TURNS).max(1);
    let weights: Vec<i64> =
        weights.iter().map(|weight| i64::from((u32::from(weight / divisor) / shrink).max(1))).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut turns = Vec::new();
    for _ in 0..total {
        for (credit, weight) in credit.iter_mut().zip(&weights) {
            *credit += weight;
        }
        // The first of those with the most.
        let best = (0..credit.len()).max_by_key(|&index| (credit[index], std::cmp::Reverse(index))).unwrap_or_default();
        credit[best] -= total;
        turns.push(u16::try_from(best).unwrap_or_default());
    }
    turns
}

fn gcd(one: u16, other: u16) -> u16 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proxima_types::BackendUrl;

    fn backends(count: usize) -> Vec<Arc<Backend>> {
        let url = |index: usize| BackendUrl::parse(&format!("http://10.0.0.{}", index + 1)).expect("a URL");
        (0..count).map(|index| Arc::new(Backend::plain(url(index)))).collect()
    }

    fn group(backends: &[Arc<Backend>], weights: &[u16], balance: Balance) -> Group {
        Group::new(backends.iter().cloned().zip(weights.iter().copied()).collect(), balance)
    }

    fn picks(group: &Group, count: usize, tried: &[Arc<Backend>]) -> String {
        let one = || {
            let picked = group.pick(tried)?;
            group.backends().position(|backend| Arc::ptr_eq(backend, picked)).and_then(|index| "abc".chars().nth(index))
        };
        (0..count).map(|_| one().unwrap_or('-')).collect()
    }

    #[test]
    fn turns_are_spread_by_weight() {
        let all = backends(3);
        assert_eq!(picks(&group(&all, &[5, 1, 1], Balance::RoundRobin), 14, &[]), "aabacaaaabacaa");
        assert_eq!(picks(&group(&all, &[1, 1, 1], Balance::RoundRobin), 6, &[]), "abcabc");
        assert_eq!(turns(&[1000, 500]).len(), 3);
        let many = turns(&[1000, 999, 1000, 997, 1000, 991]);
        assert!(many.len() <= 4096 + 6 && (0..6).all(|index| many.contains(&index)));
    }

    #[test]
    fn the_ill_and_the_tried_are_left_out_until_nobody_else_is_there() {
        let all = backends(3);
        for balance in [Balance::RoundRobin, Balance::LeastConnections] {
            let group = group(&all, &[1, 1, 1], balance);
            all[1].health.checked(false);
            assert!(!picks(&group, 30, &[]).contains('b'));
            assert!(!picks(&group, 30, &all[..1]).contains(['a', 'b']));
            assert_eq!(picks(&group, 2, &[Arc::clone(&all[0]), Arc::clone(&all[2])]), "bb", "better than nobody");
            assert_eq!(picks(&group, 1, &all), "-");
            for one in &all {
                one.health.checked(false);
            }
            assert!(
                ["a", "b", "c"].iter().all(|one| picks(&group, 30, &[]).contains(one)),
                "all may be wrongly thought ill"
            );
            for one in &all {
                one.health.checked(true);
            }
        }
    }

    #[test]
    fn the_least_busy_for_its_weight_comes_first() {
        let all = backends(2);
        let group = group(&all, &[2, 1], Balance::LeastConnections);
        let mut order = String::new();
        for _ in 0..6 {
            let picked = Arc::clone(group.pick(&[]).expect("one"));
            picked.health.begin();
            order.push(if Arc::ptr_eq(&picked, &all[0]) { 'a' } else { 'b' });
        }
        assert_eq!(order.matches('a').count(), 4, "{order}");
    }
}
