//! `cargo xtask`: the one tool around this workspace. What a person runs, CI runs.
//!
//! One file per command; each prints what it runs, and installs what a fresh Debian or Ubuntu lacks, saying so.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod bpf;
mod check;
mod cluster;
mod demo;
mod fuzz;
mod generate;
mod image;
mod machine;
mod run;
mod soak;
mod test;
mod tidy;
mod toolchain;
mod vm;

/// The one tool around this workspace: what a person runs, CI runs.
///
/// Start with `cargo xtask demo` to see what the project does, and `cargo xtask test` to run every layer of tests.
/// Before a commit: `cargo xtask check`.
///
/// What is costly to make (tools, cluster binaries) is kept in ~/.cache/spo, or where SPO_CACHE says. Build output goes where
/// cargo puts it; CARGO_TARGET_DIR is respected.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Demo),
    Test(test::Test),
    Check(check::Check),
    Tidy(tidy::Tidy),
    Generate(generate::Generate),
    Bench(bench::Bench),
    Fuzz(fuzz::Fuzz),
    Soak(soak::Soak),
    Bpf(bpf::Bpf),
    Image(image::BuildImage),
    Cluster(cluster::Cluster),
    Vm(vm::Vm),
}

fn main() -> ExitCode {
    run_command(Args::parse().command).unwrap_or_else(|error| {
        // The chain of causes and no backtrace: it is for who uses the tool.
        run::complain(&format!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run_command(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Test(test) => return test.run(),
        Command::Cluster(cluster) => return cluster.run(),
        Command::Vm(vm) => return vm.run(),
        Command::Demo(demo) => demo.run(),
        Command::Check(check) => check.run(),
        Command::Tidy(tidy) => tidy.run(),
        Command::Generate(generate) => generate.run(),
        Command::Bench(bench) => bench.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Soak(soak) => soak.run(),
        Command::Bpf(bpf) => bpf.run(),
        Command::Image(image) => image.run().map(drop),
    }?;
    Ok(ExitCode::SUCCESS)
}
