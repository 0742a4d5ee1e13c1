//! What is left of profiles after a reboot.

use spo_api::apparmor::v1::AppArmorProfileSpec;
use spo_lsm::host::{AppArmorHost, Change, Content, Host, Step};
use spo_lsm::{Policy, check, parse, render};
use spo_tests::guest::Guest;

#[test]
fn a_profile_that_the_kernel_lacks_after_a_reboot_is_loaded_again() {
    let Some(_guest) = Guest::entered("apparmor") else { return };
    let mut host = AppArmorHost::new();
    let spec = r#"{"abstract": {"filesystem": {"readOnlyPaths": ["/etc/**"]}}}"#;
    let spec: AppArmorProfileSpec = serde_json::from_str(spec).expect("a spec");
    let profile = parse("over-reboot".parse().expect("a name"), &spec).expect("a profile");
    let checked = check(&profile, &Policy::default()).expect("it may be installed");
    let step = Step::Install { artifact: render(&checked), checked };
    // This guest loads nothing at boot; a distribution would.
    assert_eq!(host.installed().expect("it can be listed").files.get("over-reboot"), Some(&Content::Stale));
    assert_eq!(host.apply(std::slice::from_ref(&step))[0].result, Ok(Change::Written));
    assert_eq!(host.apply(std::slice::from_ref(&step))[0].result, Ok(Change::Unchanged));
}
