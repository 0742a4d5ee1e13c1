//! What one profile permits and another does not.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use spo_api::selinux::v1::Mode;

use super::Profile;
use super::effect::Effect;

/// How two profiles differ in what they permit. Names, states, the order of writing and repetitions make no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// The modes of the first and the second, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modes: Option<(Mode, Mode)>,
    /// What only the first permits.
    pub only_first: Part,
    /// What only the second permits.
    pub only_second: Part,
}

/// What one of two profiles permits, and the other does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// The policies that it inherits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<String>,
    /// Its rules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Rule>,
}

/// Permissions for one class of one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The label, `@self` for the profile's own type.
    pub label: String,
    /// The class.
    pub class: String,
    /// The permissions, sorted.
    pub permissions: Vec<String>,
}

/// Compares what two profiles permit.
pub fn diff(first: &Profile, second: &Profile) -> Diff {
    let (a, b) = (Effect::of(first), Effect::of(second));
    Diff {
        modes: (a.mode != b.mode).then_some((a.mode, b.mode)),
        only_first: Part::of(&a, &b),
        only_second: Part::of(&b, &a),
    }
}

impl Diff {
    /// Whether both permit the same.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Part {
    fn of(effect: &Effect<'_>, other: &Effect<'_>) -> Self {
        let owned = |names: BTreeSet<&str>| names.into_iter().map(str::to_owned).collect();
        let rule = |((label, class), permissions): ((&str, &str), _)| Rule {
            label: label.to_owned(),
            class: class.to_owned(),
            permissions: owned(permissions),
        };
        Self {
            inherits: effect.inherits.difference(&other.inherits).map(|name| (*name).to_owned()).collect(),
            allow: effect.beyond(other).into_iter().map(rule).collect(),
        }
    }

    fn write(&self, sign: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for name in &self.inherits {
            writeln!(f, "{sign} inherit {name}")?;
        }
        self.allow.iter().try_for_each(|rule| writeln!(f, "{sign} allow {rule}"))
    }
}

/// For people: a line for each rule that only the first has, with `-`, or only the second, with `+`. Nothing if they permit the same.
impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((first, second)) = self.modes {
            writeln!(f, "- mode {first}\n+ mode {second}")?;
        }
        self.only_first.write('-', f)?;
        self.only_second.write('+', f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.label, self.class, self.permissions.join(" "))
    }
}
