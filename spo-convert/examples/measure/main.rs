//! What conversion costs: of one SeccompProfile of 10 kB in time and allocations, beside `serde_json` reading and writing the same
//! bytes; and of a review of 1,500 of them in memory.
//!
//! Run by `cargo xtask bench convert`, which reads the lines of JSON that it prints.

mod sys;

use std::hint::black_box;
use std::io::Write as _;
use std::time::Instant;

use serde_json::{Value, json};
use spo_api::GROUP;
use spo_api::syscalls::Abi;
use spo_convert::{Version, convert, review_bytes};

/// Each round takes every turn once, so that all of them meet the same disturbances.
const ROUNDS: usize = 501;
/// How often a turn does its work: long enough that the clock does not matter, short enough that some turns are not interrupted.
const TURN: usize = 10;
/// The size of an object.
const BYTES: usize = 10_000;
/// How many objects a large review has.
const OBJECTS: usize = 1500;

type Failure = Box<dyn std::error::Error>;

/// Something to be measured. What it gives keeps the compiler from leaving the work out.
type Turn = Box<dyn Fn() -> Result<usize, Failure>>;

fn main() -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let figures = one_object()?.into_iter().chain(one_review()?);
    figures
        .into_iter()
        .try_for_each(|(metric, value)| writeln!(out, "{}", json!({"metric": metric, "value": value})))?;
    Ok(())
}

/// Nanoseconds and allocations for one object.
fn one_object() -> Result<Vec<(String, f64)>, Failure> {
    let turns: [(&str, Turn); 3] = [
        ("to v1", converted(Version::V1beta1, Version::V1)?),
        ("to v1beta1", converted(Version::V1, Version::V1beta1)?),
        ("serde_json", parsed_and_printed()?),
    ];
    let mut times = turns.each_ref().map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for ((_, turn), times) in turns.iter().zip(&mut times) {
            times.push(nanoseconds(turn)?);
        }
    }
    let mut figures = Vec::new();
    for ((name, turn), mut times) in turns.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        figures.push((format!("{name}, ns, median"), times[ROUNDS / 2]));
        figures.push((format!("{name}, ns, minimum"), times[0]));
        let before = sys::allocations();
        turn()?;
        figures.push((format!("{name}, allocations"), (sys::allocations() - before) as f64));
    }
    Ok(figures)
}

/// The conversion of one object.
fn converted(from: Version, to: Version) -> Result<Turn, Failure> {
    let object = profile(from)?;
    Ok(Box::new(move || Ok(black_box(convert(black_box(&object), to)?).len())))
}

/// What any program pays that reads an object and writes it.
fn parsed_and_printed() -> Result<Turn, Failure> {
    let object = profile(Version::V1beta1)?;
    Ok(Box::new(move || {
        let value: Value = serde_json::from_slice(black_box(&object))?;
        Ok(black_box(serde_json::to_vec(&value)?).len())
    }))
}

fn nanoseconds(turn: &Turn) -> Result<f64, Failure> {
    let start = Instant::now();
    for _ in 0..TURN {
        turn()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / TURN as f64)
}

/// The most memory that a large review takes, the body among it, as a multiple of the body; and its time for one object.
fn one_review() -> Result<Vec<(String, f64)>, Failure> {
    let body = review(OBJECTS)?;
    let before = sys::start_peak() - body.len();
    let start = Instant::now();
    let answer = review_bytes(&body)?;
    let took = start.elapsed().as_secs_f64() * 1e9 / OBJECTS as f64;
    let peak = (sys::peak() - before) as f64 / body.len() as f64;
    let answer: Value = serde_json::from_slice(&answer)?;
    if answer["response"]["convertedObjects"].as_array().map(Vec::len) != Some(OBJECTS) {
        return Err(format!("the review failed: {}", answer["response"]["result"]).into());
    }
    Ok(vec![("review, peak / body".to_owned(), peak), ("review, ns per object".to_owned(), took)])
}

fn review(objects: usize) -> Result<Vec<u8>, Failure> {
    let object = String::from_utf8(profile(Version::V1beta1)?)?;
    let desired = format!("{GROUP}/{}", Version::V1);
    let head = format!(
        r#"{{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{{"uid":"u","desiredAPIVersion":"{desired}","objects":["#
    );
    Ok(format!("{head}{}]}}}}", vec![object; objects].join(",")).into_bytes())
}

/// A profile as an API server hands it over: recorded from a workload, with conditions on some arguments, a status, and who wrote
/// what.
fn profile(version: Version) -> Result<Vec<u8>, Failure> {
    let names: Vec<&str> = Abi::X86_64.calls().map(|(_, name)| name).collect();
    let conditional = |name: &&str| {
        let arg = json!({"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 2114060288, "valueTwo": 0});
        json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": [arg]})
    };
    let mut object = json!({
        "apiVersion": format!("{GROUP}/{version}"),
        "kind": "SeccompProfile",
        "metadata": {
            "name": "web", "uid": "0d2d9e2a-5a4e-4d0c-9d7c-2f0f5a3f2f11", "resourceVersion": "123456", "generation": 3,
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"spo.x-k8s.io/profile-id": "SeccompProfile-web", "team": "shop"},
            "annotations": {"spo.x-k8s.io/completeness": "{\"complete\":true}"},
            "managedFields": [{"manager": "spoc", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:syscalls": {}}}}],
        },
        "spec": {
            "defaultAction": "SCMP_ACT_ERRNO", "state": "Enabled", "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{"names": names, "action": "SCMP_ACT_ALLOW"}],
        },
        "status": {
            "status": "Installed", "localhostProfile": "operator/web.json", "activeWorkloads": ["shop/web-1", "shop/web-2"],
            "conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "", "lastTransitionTime": "2026-01-02T03:04:05Z"}],
        },
    });
    let mut text = serde_json::to_vec(&object)?;
    for name in names.iter().cycle() {
        if text.len() >= BYTES {
            break;
        }
        object["spec"]["syscalls"].as_array_mut().ok_or("no list")?.push(conditional(name));
        text = serde_json::to_vec(&object)?;
    }
    Ok(text)
}
