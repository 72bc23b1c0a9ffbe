//! The settings of an algorithm: what there is to set, and what a study set.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::space::Fault;

/// One setting of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// Its name in a study's `algorithm.settings`.
    pub name: &'static str,
    /// What it does.
    pub purpose: &'static str,
    /// Its values.
    pub range: Range,
}

/// The values of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// A whole number.
    Integer {
        /// What it is where a study says nothing.
        default: u32,
        /// Least value.
        low: u32,
        /// Greatest value.
        high: u32,
    },
    /// A number.
    Number {
        /// What it is where a study says nothing.
        default: f64,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// One of some names, the first where a study says nothing.
    Choice(&'static [&'static str]),
}

/// Checked settings: a value for each that a study named.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    values: BTreeMap<&'static str, Set>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Set {
    Number(f64),
    Name(&'static str),
}

impl Settings {
    /// Checks what a study says against what there is to set.
    ///
    /// # Errors
    /// Every fault, with pointers below `/algorithm/settings`.
    pub fn check(known: &'static [Setting], given: &Map<String, Json>) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut values = BTreeMap::new();
        for (name, value) in given {
            let pointer = format!("/algorithm/settings/{}", name.replace('~', "~0").replace('/', "~1"));
            let Some(setting) = known.iter().find(|setting| setting.name == name) else {
                let names: Vec<&str> = known.iter().map(|setting| setting.name).collect();
                let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                faults.push(Fault::new(
                    pointer,
                    format!("there is no such setting of this algorithm; there are: {there}"),
                ));
                continue;
            };
            match setting.range.read(value) {
                Ok(value) => {
                    values.insert(setting.name, value);
                }
                Err(detail) => faults.push(Fault::new(pointer, detail)),
            }
        }
        if faults.is_empty() { Ok(Self { values }) } else { Err(faults) }
    }

    /// The number of a setting.
    pub(super) fn number(&self, setting: &Setting) -> f64 {
        match (self.values.get(setting.name), setting.range) {
            (Some(Set::Number(number)), _) => *number,
            (_, Range::Number { default, .. }) => default,
            (_, Range::Integer { default, .. }) => f64::from(default),
            (_, Range::Choice(_)) => 0.0,
        }
    }

    /// The whole number of a setting.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn integer(&self, setting: &Setting) -> usize {
        // Checked to be whole and not negative.
        self.number(setting) as usize
    }

    /// The name that a setting has.
    pub(super) fn choice(&self, setting: &Setting) -> &'static str {
        match (self.values.get(setting.name), setting.range) {
            (Some(Set::Name(name)), _) => name,
            (_, Range::Choice(names)) => names.first().copied().unwrap_or(""),
            _ => "",
        }
    }
}

impl Range {
    fn read(self, value: &Json) -> Result<Set, String> {
        match self {
            Self::Integer { low, high, .. } => value
                .as_f64()
                .filter(|number| number.fract() == 0.0 && (f64::from(low)..=f64::from(high)).contains(number))
                .map(Set::Number)
                .ok_or_else(|| format!("must be a whole number from {low} to {high}")),
            Self::Number { low, high, .. } => value
                .as_f64()
                .filter(|number| (low..=high).contains(number))
                .map(Set::Number)
                .ok_or_else(|| format!("must be a number from {low} to {high}")),
            Self::Choice(names) => names
                .iter()
                .find(|name| value.as_str() == Some(**name))
                .map(|name| Set::Name(name))
                .ok_or_else(|| format!("must be one of {}", names.join(", "))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: [Setting; 2] = [
        Setting { name: "samples", purpose: "", range: Range::Integer { default: 8, low: 1, high: 64 } },
        Setting { name: "kind", purpose: "", range: Range::Choice(&["a", "b"]) },
    ];

    fn check(given: Json) -> Result<Settings, Vec<Fault>> {
        Settings::check(&KNOWN, given.as_object().unwrap())
    }

    #[test]
    fn defaults_and_what_was_set() {
        let settings = check(json!({"samples": 16})).unwrap();
        assert_eq!((settings.integer(&KNOWN[0]), settings.choice(&KNOWN[1])), (16, "a"));
        let settings = check(json!({"kind": "b"})).unwrap();
        assert_eq!((settings.integer(&KNOWN[0]), settings.choice(&KNOWN[1])), (8, "b"));
    }

    #[test]
    fn every_fault_is_reported_where_it_is() {
        let faults = check(json!({"samples": 1.5, "kind": 3, "o/ther": null})).unwrap_err();
        let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            ["/algorithm/settings/samples", "/algorithm/settings/kind", "/algorithm/settings/o~1ther"]
        );
    }
}
