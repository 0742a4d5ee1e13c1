//! Globs as automata.

use super::bytes::Bytes;
use super::syntax::Node;

/// What an edge takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Label {
    pub(super) bytes: Bytes,
    pub(super) variable: Variable,
}

/// Which variables an edge takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Variable {
    None,
    Named(String),
    /// Any, as `**` does.
    Any,
}

/// States of an automaton, in order and each once.
pub(super) type States = Vec<u32>;

/// A nondeterministic automaton.
#[derive(Debug, Clone, Default)]
pub(super) struct Automaton {
    edges: Vec<Vec<(Label, u32)>>,
    /// Edges that take nothing.
    free: Vec<Vec<u32>>,
    begin: Vec<u32>,
    accepting: Vec<bool>,
}

/// How a variable whose values are not known is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// As a letter of its own: the same variable is the same text.
    Symbol,
    /// As any text.
    Anything,
}

impl Automaton {
    pub(super) fn new(nodes: &[Node], unknown: Unknown) -> Self {
        let mut automaton = Self::default();
        let begin = automaton.state();
        let end = automaton.sequence(nodes, begin, unknown);
        automaton.begin.push(begin);
        automaton.accepting[end as usize] = true;
        automaton
    }

    /// What takes whatever one of these takes.
    pub(super) fn either(all: impl IntoIterator<Item = Self>) -> Self {
        let mut union = Self::default();
        for one in all {
            let first = union.edges.len() as u32;
            let shifted = |(label, to)| (label, to + first);
            union.edges.extend(one.edges.into_iter().map(|edges| edges.into_iter().map(shifted).collect::<Vec<_>>()));
            union
                .free
                .extend(one.free.into_iter().map(|free| free.into_iter().map(|to| to + first).collect::<Vec<_>>()));
            union.begin.extend(one.begin.into_iter().map(|state| state + first));
            union.accepting.extend(one.accepting);
        }
        union
    }

    /// Whether it takes a path.
    pub(super) fn takes(&self, path: &[u8]) -> bool {
        let step = |states, byte: &u8| self.step(&states, |label| label.bytes.contains(*byte));
        self.accepts(&path.iter().fold(self.begin(), step))
    }

    pub(super) fn begin(&self) -> States {
        self.closure(self.begin.clone())
    }

    pub(super) fn accepts(&self, states: &States) -> bool {
        states.iter().any(|state| self.accepting[*state as usize])
    }

    /// Where one more letter leads.
    pub(super) fn step(&self, states: &States, takes: impl Fn(&Label) -> bool) -> States {
        let edges = states.iter().flat_map(|state| &self.edges[*state as usize]);
        self.closure(edges.filter(|(label, _)| takes(label)).map(|(_, to)| *to).collect())
    }

    pub(super) fn labels(&self) -> impl Iterator<Item = &Label> {
        self.edges.iter().flatten().map(|(label, _)| label)
    }

    fn closure(&self, mut states: Vec<u32>) -> States {
        let mut at = 0;
        states.sort_unstable();
        states.dedup();
        while let Some(state) = states.get(at) {
            at += 1;
            for to in &self.free[*state as usize] {
                if !states.contains(to) {
                    states.push(*to);
                }
            }
        }
        states.sort_unstable();
        states
    }

    fn state(&mut self) -> u32 {
        self.edges.push(Vec::new());
        self.free.push(Vec::new());
        self.accepting.push(false);
        (self.edges.len() - 1) as u32
    }

    fn edge(&mut self, from: u32, bytes: Bytes, variable: Variable, to: u32) {
        self.edges[from as usize].push((Label { bytes, variable }, to));
    }

    /// Adds nodes behind a state, and gives the state behind them.
    fn sequence(&mut self, nodes: &[Node], from: u32, unknown: Unknown) -> u32 {
        nodes.iter().fold(from, |from, node| self.node(node, from, unknown))
    }

    fn node(&mut self, node: &Node, from: u32, unknown: Unknown) -> u32 {
        let to = self.state();
        match node {
            Node::One(bytes) => self.edge(from, *bytes, Variable::None, to),
            Node::Many(bytes, anything) => {
                self.free[from as usize].push(to);
                self.edge(to, *bytes, if *anything { Variable::Any } else { Variable::None }, to);
            }
            Node::Either(alternatives) => {
                for nodes in alternatives {
                    let begin = self.state();
                    self.free[from as usize].push(begin);
                    let end = self.sequence(nodes, begin, unknown);
                    self.free[end as usize].push(to);
                }
            }
            Node::Variable(name) => match unknown {
                Unknown::Symbol => self.edge(from, Bytes::NONE, Variable::Named(name.clone()), to),
                Unknown::Anything => {
                    self.edge(from, Bytes::ANY, Variable::Any, to);
                    self.edge(to, Bytes::ANY, Variable::Any, to);
                }
            },
        }
        to
    }
}
