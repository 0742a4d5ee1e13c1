//! Fuzz targets: what every parser of bytes has to bear.
//!
//! A target is a file in `src/bin` with a function that is given any bytes. It must not panic, and what the code that it calls promises
//! must hold. The same function runs in three ways:
//!
//! * as a test, over `corpus/TARGET` and mutations of it, the same ones each time: `cargo xtask test --only unit`;
//! * by libFuzzer, which looks for inputs that reach new code: `cargo xtask fuzz TARGET`;
//! * on files, to see again what was found: `cargo run -p spo-fuzz --bin TARGET -- FILE…`.
//!
//! This library is what targets have in common. It knows no parser.

mod corpus;
mod mutate;
mod replay;

pub use corpus::{check_corpus, check_mutations};
#[cfg(fuzzing)]
#[doc(hidden)]
pub use libfuzzer_sys;
pub use replay::replay;

/// Makes a program of a target's function: a test, a fuzzer, or one that reads files.
#[macro_export]
macro_rules! target {
    ($function:path) => {
        #[cfg(fuzzing)]
        $crate::libfuzzer_sys::fuzz_target!(|data: &[u8]| $function(data));

        #[cfg(not(fuzzing))]
        fn main() -> ::std::process::ExitCode {
            $crate::replay($function)
        }

        #[cfg(test)]
        #[test]
        fn the_corpus_passes() {
            $crate::check_corpus(env!("CARGO_CRATE_NAME"), $function);
        }

        #[cfg(test)]
        #[test]
        fn mutations_of_the_corpus_pass() {
            $crate::check_mutations(env!("CARGO_CRATE_NAME"), $function);
        }
    };
}
