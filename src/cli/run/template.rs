//! A command with places for parameters: `python train.py --lr {lr} --depth {depth}`.
//!
//! A parameter that the point does not have (its conditions switch it off) takes its argument away with it, and the
//! flag before it where the argument is nothing but the parameter.

use serde_json::{Map, Value as Json};

/// Why a command cannot be filled in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// Names what the study does not have.
    #[error("names {{{0}}}, which is no parameter of the study ({1}); write {{{{{0}}}}} for {{{0}}} itself")]
    Unknown(String, String),
}

/// Part of an argument.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Parameter(String),
}

/// A command to be filled in.
#[derive(Debug)]
pub(crate) struct Template {
    arguments: Vec<Vec<Part>>,
}

impl Template {
    /// Reads a command whose places are `names`, or `trial`, the trial's number.
    ///
    /// # Errors
    /// Names that are no parameter's.
    pub(crate) fn read(command: &[String], names: &[String]) -> Result<Self, TemplateError> {
        let arguments =
            command.iter().map(|argument| parts(argument, names)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { arguments })
    }

    /// The arguments for one point.
    pub(crate) fn fill(&self, number: u64, point: &Map<String, Json>) -> Vec<String> {
        let mut filled: Vec<String> = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            let value = |name: &str| match point.get(name) {
                Some(Json::String(text)) => Some(text.clone()),
                Some(value) => Some(value.to_string()),
                None => (name == "trial").then(|| number.to_string()),
            };
            let texts: Option<String> = argument
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Some(text.clone()),
                    Part::Parameter(name) => value(name),
                })
                .collect();
            match texts {
                Some(text) => filled.push(text),
                None if argument.len() == 1 => {
                    filled.pop_if(|before| before.starts_with('-'));
                }
                None => {}
            }
        }
        filled
    }
}

/// The parts of one argument. Braces around anything but a name are text, as are those of `${name}`.
fn parts(argument: &str, names: &[String]) -> Result<Vec<Part>, TemplateError> {
    let is_known = |name: &str| name == "trial" || names.iter().any(|known| known == name);
    let is_word = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = argument;
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let inner = |open: usize| from.get(open..from.find('}')?);
        if let Some(name) = from.strip_prefix("{{").and(inner(2))
            && from[2 + name.len()..].starts_with("}}")
            && (is_known(name) || is_word(name))
        {
            text.push_str(&from[1..3 + name.len()]);
            rest = &from[4 + name.len()..];
            continue;
        }
        match inner(1).filter(|_| !text.ends_with('$')) {
            Some(name) if is_known(name) => {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Parameter(name.to_owned()));
                rest = &from[2 + name.len()..];
            }
            Some(name) if is_word(name) => {
                return Err(TemplateError::Unknown(name.to_owned(), names.join(", ")));
            }
            _ => {
                text.push('{');
                rest = &from[1..];
            }
        }
    }
    text.push_str(rest);
    if !text.is_empty() || parts.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(command: &[&str], point: Json) -> Result<Vec<String>, TemplateError> {
        let command: Vec<String> = command.iter().map(ToString::to_string).collect();
        let names = ["lr".to_owned(), "kernel".into(), "degree".into()];
        let Json::Object(point) = point else { panic!("a point is an object") };
        Ok(Template::read(&command, &names)?.fill(7, &point))
    }

    #[test]
    fn places_are_filled_and_absent_parameters_take_their_flags_away() {
        let command =
            ["train", "--lr={lr}", "--degree", "{degree}", "--kernel", "{kernel}", "run-{trial}", "{{lr}}"];
        let point = json!({"lr": 0.1, "kernel": "rbf"});
        assert_eq!(
            filled(&command, point).unwrap(),
            ["train", "--lr=0.1", "--kernel", "rbf", "run-7", "{lr}"]
        );
        assert_eq!(filled(&["a", "--d={degree}", ""], json!({})).unwrap(), ["a", ""]);
    }

    #[test]
    fn a_place_that_is_no_parameter_is_refused() {
        assert!(
            matches!(filled(&["{rate}"], json!({})), Err(TemplateError::Unknown(name, _)) if name == "rate")
        );
        let literal = ["{lr", "${HOME}", "{\"loss\": 1}", "{ print }", "}", "{}"];
        assert_eq!(filled(&literal, json!({})).unwrap(), literal);
    }
}
