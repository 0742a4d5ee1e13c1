//! The kernel's side of a filter. The fuzz target `seccomp_filter` has it from here too.

use spo_lsm::seccomp::Instruction;

/// Runs a filter on a call as the kernel does, and gives back its answer and how many instructions that took.
pub(crate) fn run(program: &[Instruction], arch: u32, nr: u32, args: &[u64; 6]) -> (u32, usize) {
    let mut words = vec![nr, arch, 0x9abc_def0, 0x1234_5678];
    words.extend(args.iter().flat_map(|arg| [*arg as u32, (arg >> 32) as u32]));
    let (mut at, mut word, mut steps) = (0, 0_u32, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        steps += 1;
        let branch = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            0x20 => word = words[k as usize / 4],
            0x54 => word &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(word == k),
            0x25 => at += branch(word > k),
            0x35 => at += branch(word >= k),
            0x06 => return (k, steps),
            _ => panic!("instruction {code:#x} at {at}"),
        }
    }
}

/// Whether the kernel takes a filter: `seccomp_check_filter` and `bpf_check_classic`, for the instructions that ours have.
pub(crate) fn accepts(program: &[Instruction]) -> bool {
    let inside = |target: usize| target < program.len();
    let fits = |(at, one): (usize, &Instruction)| match one.code {
        0x20 => one.k < 64 && one.k.is_multiple_of(4),
        0x54 | 0x06 => true,
        0x05 => inside(at + 1 + one.k as usize),
        0x15 | 0x25 | 0x35 => inside(at + 1 + usize::from(one.jt)) && inside(at + 1 + usize::from(one.jf)),
        _ => false,
    };
    let ends = program.last().is_some_and(|last| last.code == 0x06);
    program.len() <= 4096 && ends && program.iter().enumerate().all(fits)
}
