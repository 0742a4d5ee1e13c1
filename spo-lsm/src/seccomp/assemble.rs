//! Putting classic BPF together from its end.
//!
//! Classic BPF only jumps forward, and a comparison at most 255 instructions far. When code is made from its end, what an instruction
//! jumps to exists already, and how far it is, is known.

use super::Effect;
use super::bpf::{AND, Compare, Instruction, JUMP, LOAD, Program, RETURN};
use super::compile::{CompileError, MAX_INSTRUCTIONS};

/// A place in the code: how many instructions there are from it to the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label(usize);

/// Code that grows towards its beginning: the last instruction is the first of the vector.
#[derive(Default)]
pub(super) struct Code {
    backwards: Vec<Instruction>,
    /// The latest place of each answer, to be shared while it is near.
    answers: Vec<(u32, Label)>,
    /// Whether only the lower half of an argument counts.
    pub(super) narrow: bool,
    /// Whether a listener is asked about what is not simply allowed.
    notifying: bool,
}

impl Code {
    /// Code in which every answer but "allow" asks a listener.
    pub(super) fn notifying() -> Self {
        Self { notifying: true, ..Self::default() }
    }

    pub(super) fn finish(mut self) -> Result<Program, CompileError> {
        let instructions = self.backwards.len();
        if instructions > MAX_INSTRUCTIONS {
            return Err(CompileError::TooLarge { instructions });
        }
        self.backwards.reverse();
        Ok(Program::new(self.backwards))
    }

    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.backwards.push(Instruction { code, jt, jf, k });
        Label(self.backwards.len())
    }

    /// How many instructions lie between one that is put now and `target`.
    fn distance(&self, target: Label) -> usize {
        self.backwards.len() - target.0
    }

    /// An answer within the reach of a comparison or two.
    pub(super) fn answer(&mut self, effect: Effect) -> Label {
        const NEAR: usize = 200;
        let effect = if self.notifying && effect != Effect::Allow { Effect::Notify } else { effect };
        let value = effect.return_value();
        if let Some(at) = self.answers.iter().position(|(known, _)| *known == value) {
            let label = self.answers[at].1;
            if self.distance(label) <= NEAR {
                return label;
            }
            self.answers.swap_remove(at);
        }
        let label = self.push(RETURN, 0, 0, value);
        self.answers.push((value, label));
        label
    }

    /// Loads a word, then goes on at `next`.
    pub(super) fn load(&mut self, offset: u32, next: Label) -> Label {
        self.follow(next);
        self.push(LOAD, 0, 0, offset)
    }

    /// Makes `next` what comes next.
    fn follow(&mut self, next: Label) {
        if self.distance(next) > 0 {
            self.jump(next);
        }
    }

    fn jump(&mut self, target: Label) -> Label {
        let far = self.backwards[target.0 - 1];
        if far.code == RETURN {
            return self.push(RETURN, 0, 0, far.k);
        }
        // A filter is at most a few thousand instructions long before it is refused, far from what a u32 holds.
        let distance = u32::try_from(self.distance(target)).unwrap_or(u32::MAX);
        self.push(JUMP, 0, 0, distance)
    }

    /// Compares the loaded word. Jumps of comparisons reach 255 instructions; farther ones go by a jump in between.
    pub(super) fn compare(&mut self, compare: Compare, operand: u32, yes: Label, no: Label) -> Label {
        if yes == no {
            return yes;
        }
        let (mut yes, mut no) = (yes, no);
        // Each may add an instruction, so that the one that was near is looked at again.
        while self.distance(yes) > 255 || self.distance(no) > 255 {
            if self.distance(yes) > 255 {
                yes = self.jump(yes);
            } else {
                no = self.jump(no);
            }
        }
        let reach = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
        let (jt, jf) = (reach(self.distance(yes)), reach(self.distance(no)));
        self.push(compare.code(), jt, jf, operand)
    }

    pub(super) fn and(&mut self, mask: u32, next: Label) -> Label {
        self.follow(next);
        self.push(AND, 0, 0, mask)
    }
}
