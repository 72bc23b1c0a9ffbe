//! The values of metrics, as clients write and read them.

use std::collections::BTreeMap;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::study::Observation;

/// The value of a metric: a number, or a number with what is known about it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum MetricValue {
    /// The value.
    Number(f64),
    /// The value with its standard error and gradient.
    Observation(MetricObservation),
}

/// The value of a metric with what is known about it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricObservation {
    /// The value.
    pub value: f64,
    /// Its standard error.
    #[serde(default)]
    pub sem: Option<f64>,
    /// Its partial derivatives with respect to float parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient: Option<BTreeMap<String, f64>>,
}

/// By hand, since what is derived does not say what was expected.
impl<'de> Deserialize<'de> for MetricValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMetric;
        impl<'de> Visitor<'de> for OfMetric {
            type Value = MetricValue;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number, or an object with its value, sem and gradient")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number as f64))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<MetricValue, E> {
                Ok(MetricValue::Number(number))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MetricValue, A::Error> {
                let seen = MetricObservation::deserialize(MapAccessDeserializer::new(map))?;
                Ok(MetricValue::Observation(seen))
            }
        }
        deserializer.deserialize_any(OfMetric)
    }
}

impl From<MetricValue> for Observation {
    fn from(value: MetricValue) -> Self {
        match value {
            MetricValue::Number(value) => Self { value, sem: None, gradient: None },
            MetricValue::Observation(seen) => {
                Self { value: seen.value, sem: seen.sem, gradient: seen.gradient }
            }
        }
    }
}

impl From<&Observation> for MetricObservation {
    fn from(seen: &Observation) -> Self {
        Self { value: seen.value, sem: seen.sem, gradient: seen.gradient.clone() }
    }
}

pub(super) fn observations(values: BTreeMap<String, MetricValue>) -> BTreeMap<String, Observation> {
    values.into_iter().map(|(name, value)| (name, value.into())).collect()
}
