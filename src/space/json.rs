//! Points as clients write them: JSON objects of parameter names and values.

use serde_json::{Map, Number, Value as Json};

use super::{Domain, Fault, Label, Parameter, Point, Reading, Space, Value};

/// What became of one value.
enum Read {
    Inside(Value),
    /// A value that the point can hold, and why it lies outside.
    Outside(Option<Value>, String),
    /// A value of the wrong kind.
    Wrong(String),
}

impl Space {
    /// The point that a client's object of parameters names. Values out of range, off the grid, unknown labels and
    /// violated constraints make it lie outside the space.
    ///
    /// # Errors
    /// Every fault that leaves no point: unknown names, values of the wrong JSON type, active parameters that are
    /// missing, inactive ones that are there.
    pub fn read(&self, parameters: &Map<String, Json>) -> Result<Reading, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut outside = Vec::new();
        for name in parameters.keys() {
            if self.index_of(name).is_none() {
                faults.push(Fault::new(pointer(name), "there is no such parameter"));
            }
        }
        let mut point = Point { values: vec![None; self.dimension()] };
        let mut is_expressible = true;
        for &i in &self.order {
            let parameter = &self.parameters[i];
            let value = parameters.get(&parameter.name);
            match (self.is_active(i, &point), value) {
                (false, None) => {}
                // Behind an unknown label it cannot be told which parameters are active.
                (false, Some(_)) if !is_expressible => {}
                (true, None) => faults.push(Fault::new(pointer(&parameter.name), "the parameter is missing")),
                (false, Some(_)) => faults.push(Fault::new(
                    pointer(&parameter.name),
                    "its conditions switch this parameter off here: leave it out",
                )),
                (true, Some(value)) => match parameter.read(value) {
                    Read::Inside(value) => point.values[i] = Some(value),
                    Read::Outside(value, detail) => {
                        outside.push(Fault::new(pointer(&parameter.name), detail));
                        is_expressible &= value.is_some();
                        point.values[i] = value;
                    }
                    Read::Wrong(detail) => faults.push(Fault::new(pointer(&parameter.name), detail)),
                },
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        if is_expressible && !self.satisfies(&point) {
            outside.push(Fault::new("", "the point violates a parameter constraint"));
        }
        Ok(Reading { point: is_expressible.then_some(point), outside })
    }

    /// A point as clients read it, in the order of the definition, without inactive parameters.
    pub fn write(&self, point: &Point) -> Map<String, Json> {
        self.parameters
            .iter()
            .zip(&point.values)
            .filter_map(|(parameter, value)| Some((parameter.name.clone(), parameter.write((*value)?))))
            .collect()
    }
}

impl Parameter {
    fn read(&self, value: &Json) -> Read {
        match &self.domain {
            Domain::Float(range) => {
                let Some(x) = value.as_f64() else { return Read::Wrong("must be a number".into()) };
                if !(range.low()..=range.high()).contains(&x) {
                    let detail = format!("must lie between {} and {}", range.low(), range.high());
                    Read::Outside(Some(Value::Float(x)), detail)
                } else if range.nearest(x) == x {
                    Read::Inside(Value::Float(x))
                } else {
                    let detail = format!("is off the grid; the nearest value on it is {}", range.nearest(x));
                    Read::Outside(Some(Value::Float(x)), detail)
                }
            }
            Domain::Int(range) => {
                let Some(x) = whole(value) else { return Read::Wrong("must be a whole number".into()) };
                if range.admits(x) {
                    Read::Inside(Value::Int(x))
                } else {
                    let (low, high, step) = (range.low(), range.high(), range.step());
                    let grid = if step == 1 { String::new() } else { format!(" in steps of {step}") };
                    Read::Outside(Some(Value::Int(x)), format!("must lie between {low} and {high}{grid}"))
                }
            }
            Domain::Categorical(labels) | Domain::Ordinal(labels) => {
                let Some(label) = Label::from_json(value) else {
                    return Read::Wrong("must be a string, a number or a boolean".into());
                };
                match labels.iter().position(|known| *known == label) {
                    Some(k) => Read::Inside(Value::Choice(k)),
                    None if labels.first().is_some_and(|known| !known.is_like(&label)) => {
                        Read::Wrong("must be of the same kind as the parameter's choices".into())
                    }
                    None => Read::Outside(None, "is none of the parameter's choices".into()),
                }
            }
        }
    }

    fn write(&self, value: Value) -> Json {
        match (&self.domain, value) {
            (_, Value::Float(x)) => Number::from_f64(x).map_or(Json::Null, Json::Number),
            (_, Value::Int(x)) => Json::from(x),
            (Domain::Categorical(labels) | Domain::Ordinal(labels), Value::Choice(k)) => {
                labels.get(k).map_or(Json::Null, Label::to_json)
            }
            (Domain::Float(_) | Domain::Int(_), Value::Choice(_)) => Json::Null,
        }
    }
}

/// A whole number, also where it is written as a float.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
pub(super) fn whole(value: &Json) -> Option<i64> {
    let limit = super::parameter::INT_LIMIT as f64;
    value
        .as_i64()
        .or_else(|| value.as_f64().filter(|x| x.fract() == 0.0 && x.abs() <= limit).map(|x| x as i64))
}

impl Label {
    /// The label that a JSON value is.
    pub fn from_json(value: &Json) -> Option<Self> {
        match value {
            Json::Bool(boolean) => Some(Self::Boolean(*boolean)),
            Json::String(text) => Some(Self::Text(text.clone())),
            Json::Number(number) => Some(Self::Number(number.clone()).normalized()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    /// Its JSON value.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Boolean(boolean) => Json::Bool(*boolean),
            Self::Number(number) => Json::Number(number.clone()),
            Self::Text(text) => Json::String(text.clone()),
        }
    }

    /// A whole number as an integer, so that 16 and 16.0 are equal.
    pub(super) fn normalized(self) -> Self {
        match self {
            Self::Number(number) => {
                let integer = whole(&Json::Number(number.clone()));
                Self::Number(integer.map_or(number, Number::from))
            }
            other => other,
        }
    }

    /// Whether both are strings, numbers, or booleans.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A name as a JSON pointer (RFC 6901).
pub(super) fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
