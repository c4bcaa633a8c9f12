//! Which commits a release owns: those its tag reaches and no earlier release on its way does. One pass over all
//! releases, in time linear in what they own.
//!
//! Releases are visited ancestors first. The walk of one goes from its commit towards the roots, children before
//! parents, and turns back where an earlier release is met or where a commit belongs to one that was met. Two releases
//! without an order between them, such as those of two maintenance lines, may own the same commit.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// A release as the pass sees it: positions point into the commits, children before their parents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where its commit stands.
    pub position: u32,
    /// Whether it ends the notes of releases behind it. What is not released ends nothing.
    pub ends: bool,
}

/// What one release owns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owned {
    /// Positions, ascending: children before parents.
    pub commits: Vec<u32>,
    /// The nearest earlier releases, by their place in the list of marks: none of them has another behind it.
    pub met: Vec<usize>,
}

/// Attributes commits to releases. `parents` gives the parents of each position, all of them greater than itself;
/// `marks` is in the order in which releases of one commit came into being. The answers stand in the order of `marks`.
pub fn attribute<'a>(parents: &dyn Fn(u32) -> &'a [u32], commits: usize, marks: &[Mark]) -> Vec<Owned> {
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by_key(|at| (Reverse(marks[*at].position), *at));
    let mut answers = vec![Owned::default(); marks.len()];
    let mut owners = Owners::new(commits);
    let mut ancestors: Vec<Bits> = Vec::with_capacity(marks.len());
    // The ordinals of the releases of a commit that were visited before.
    let mut tagged: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut seen = vec![u32::MAX; commits];
    for (ordinal, at) in (0..).zip(order.iter().copied()) {
        let Mark { position, ends } = marks[at];
        let mut earlier = Bits::default();
        let mut queue = BinaryHeap::from([Reverse(position)]);
        seen[position as usize] = ordinal;
        while let Some(Reverse(commit)) = queue.pop() {
            if let Some(here) = tagged.get(&commit) {
                // What a release that was met has behind it is not the nearest, whichever way leads to it as well.
                if let Some(last) = here.last().filter(|last| !earlier.has(**last)) {
                    answers[at].met.push(order[*last as usize]);
                }
                for other in here {
                    earlier.add(&ancestors[*other as usize]);
                    earlier.set(*other);
                }
                continue;
            }
            if owners.of(commit).any(|owner| earlier.has(owner)) {
                continue;
            }
            if ends {
                owners.push(commit, ordinal);
            }
            answers[at].commits.push(commit);
            for parent in parents(commit) {
                if seen[*parent as usize] != ordinal {
                    seen[*parent as usize] = ordinal;
                    queue.push(Reverse(*parent));
                }
            }
        }
        ancestors.push(earlier);
        if ends {
            tagged.entry(position).or_default().push(ordinal);
        }
    }
    answers
}

/// The releases that own a commit; nearly always one.
struct Owners {
    first: Vec<u32>,
    more: HashMap<u32, Vec<u32>>,
}

impl Owners {
    fn new(commits: usize) -> Self {
        Self { first: vec![u32::MAX; commits], more: HashMap::new() }
    }

    fn push(&mut self, commit: u32, owner: u32) {
        let first = &mut self.first[commit as usize];
        if *first == u32::MAX {
            *first = owner;
        } else {
            self.more.entry(commit).or_default().push(owner);
        }
    }

    fn of(&self, commit: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.first[commit as usize];
        let more = if first == u32::MAX { None } else { self.more.get(&commit) };
        Some(first).filter(|owner| *owner != u32::MAX).into_iter().chain(more.into_iter().flatten().copied())
    }
}

/// A set of ordinals. Most releases have all earlier ones behind them: those below the first that is missing are told
/// by a number.
#[derive(Default)]
struct Bits {
    /// Every ordinal below it is in the set.
    all_below: u32,
    /// The others, from the word on that holds `all_below`.
    words: Vec<u64>,
}

impl Bits {
    fn word(&self, bit: u32) -> Option<usize> {
        ((bit / 64) as usize).checked_sub((self.all_below / 64) as usize)
    }

    fn set(&mut self, bit: u32) {
        if bit < self.all_below {
            return;
        }
        let Some(word) = self.word(bit) else { return };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (bit % 64);
        self.advance();
    }

    fn has(&self, bit: u32) -> bool {
        let word = || Some(self.words.get(self.word(bit)?)? & (1 << (bit % 64)) != 0);
        bit < self.all_below || word().unwrap_or(false)
    }

    fn add(&mut self, other: &Self) {
        if other.all_below > self.all_below {
            let gone = (other.all_below / 64 - self.all_below / 64) as usize;
            self.words.drain(..gone.min(self.words.len()));
            self.all_below = other.all_below;
        }
        // The words of the other begin here or before.
        let skipped = (self.all_below / 64 - other.all_below / 64) as usize;
        let more = other.words.get(skipped..).unwrap_or_default();
        if self.words.len() < more.len() {
            self.words.resize(more.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(more) {
            *word |= more;
        }
        self.advance();
    }

    /// Moves the number to the first ordinal that is missing.
    fn advance(&mut self) {
        let mut full = 0;
        while let Some(word) = self.words.get(full) {
            let known = self.all_below % 64;
            let more = (word >> known).trailing_ones();
            self.all_below += more;
            if known + more < 64 {
                break;
            }
            full += 1;
        }
        self.words.drain(..full);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What the definition says, at any price.
    fn slowly(graph: &[Vec<u32>], marks: &[Mark]) -> Vec<Owned> {
        let reach = |from: u32| {
            let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
            while let Some(at) = open.pop() {
                if seen.insert(at) {
                    open.extend(&graph[at as usize]);
                }
            }
            seen
        };
        let is_behind = |(other, tag): (usize, &Mark), (at, mark): (usize, &Mark)| {
            let same = tag.position == mark.position;
            tag.ends && if same { other < at } else { reach(mark.position).contains(&tag.position) }
        };
        let own = |(at, mark): (usize, &Mark)| {
            let earlier: Vec<(usize, &Mark)> =
                marks.iter().enumerate().filter(|tag| is_behind(*tag, (at, mark))).collect();
            let hidden: BTreeSet<u32> = earlier.iter().flat_map(|(_, tag)| reach(tag.position)).collect();
            let nearest = earlier.iter().filter(|tag| !earlier.iter().any(|other| is_behind(**tag, *other)));
            Owned {
                commits: reach(mark.position).difference(&hidden).copied().collect(),
                met: nearest.map(|(at, _)| *at).collect(),
            }
        };
        marks.iter().enumerate().map(own).collect()
    }

    proptest! {
        #[test]
        fn sets_are_sets(
            steps in proptest::collection::vec((0usize..4, 0u32..200, proptest::bool::weighted(0.2)), 0..300),
        ) {
            let mut sets: Vec<(Bits, BTreeSet<u32>)> = (0..4).map(|_| (Bits::default(), BTreeSet::new())).collect();
            for (at, bit, merge) in steps {
                if merge {
                    let (from, told) = sets.swap_remove(at);
                    sets[0].0.add(&from);
                    sets[0].1.extend(&told);
                    sets.push((from, told));
                } else {
                    // Many low ones, so that the number moves.
                    let bit = if at < 2 { bit % 70 } else { bit };
                    sets[at].0.set(bit);
                    sets[at].1.insert(bit);
                }
            }
            for (bits, told) in &sets {
                for bit in 0..260 {
                    prop_assert_eq!(bits.has(bit), told.contains(&bit), "{}", bit);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_pass_is_the_definition(
            edges in proptest::collection::vec(proptest::collection::vec(1u32..12, 0..4), 1..60),
            tags in proptest::collection::vec((0u32..60, proptest::bool::weighted(0.9)), 0..12),
        ) {
            let size = edges.len() as u32;
            let graph: Vec<Vec<u32>> = (0..size)
                .zip(&edges)
                .map(|(at, steps)| {
                    let parents: BTreeSet<u32> =
                        steps.iter().map(|step| at + step).filter(|parent| *parent < size).collect();
                    parents.into_iter().collect()
                })
                .collect();
            let marks: Vec<Mark> =
                tags.iter().map(|(position, ends)| Mark { position: position % size, ends: *ends }).collect();
            let found = attribute(&|at| graph[at as usize].as_slice(), graph.len(), &marks);
            let sorted = |mut owned: Owned| {
                owned.met.sort_unstable();
                owned
            };
            let found: Vec<Owned> = found.into_iter().map(sorted).collect();
            prop_assert_eq!(found, slowly(&graph, &marks));
        }
    }
}
