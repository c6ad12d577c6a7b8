//! Values while a condition is worked with, and arithmetic on them.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::parse::Operator;

/// A value while it is worked with. What is in the JSON is borrowed.
#[derive(Debug, Clone)]
pub(super) enum Val<'v> {
    Undefined,
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'v, str>),
    Map(&'v Map<String, Value>),
    Array(&'v [Value]),
    List(Vec<Val<'v>>),
}

impl<'v> From<&'v Value> for Val<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(bool) => Self::Bool(*bool),
            Value::Number(number) => match number.as_i64() {
                Some(int) => Self::Int(int),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Array(items) => Self::Array(items),
            Value::Object(map) => Self::Map(map),
        }
    }
}

impl<'v> Val<'v> {
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::None => false,
            Self::Bool(bool) => *bool,
            Self::Int(int) => *int != 0,
            Self::Float(float) => *float != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::List(items) => !items.is_empty(),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as JSON's readers do")]
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            // as in Python, and so in templates
            Self::Bool(bool) => Some(f64::from(u8::from(*bool))),
            _ => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Undefined | Self::None)
    }

    pub(super) fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::Map(map) => Some(map.len()),
            Self::Array(items) => Some(items.len()),
            Self::List(items) => Some(items.len()),
            _ => None,
        }
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined => "nothing",
            Self::None => "null",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Map(_) => "a map",
            Self::Array(_) | Self::List(_) => "a list",
        }
    }

    pub(super) fn attribute(&self, name: &str) -> Self {
        match self {
            Self::Map(map) => map.get(name).map_or(Self::Undefined, Self::from),
            _ => Self::Undefined,
        }
    }
}

/// The outcome of an operation; an error says what is wrong with the condition.
pub(super) type Evaluated<'v> = Result<Val<'v>, String>;

pub(super) fn item<'v>(value: Val<'v>, index: &Val<'v>) -> Val<'v> {
    let place = |length: usize| match index {
        Val::Int(at @ 0..) => usize::try_from(*at).ok().filter(|at| *at < length),
        Val::Int(at) => length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?),
        _ => None,
    };
    match (value, index) {
        (Val::Array(items), _) => place(items.len()).map_or(Val::Undefined, |at| Val::from(&items[at])),
        (Val::List(mut items), _) => match place(items.len()) {
            Some(at) => items.swap_remove(at),
            None => Val::Undefined,
        },
        (map @ Val::Map(_), Val::Text(key)) => map.attribute(key),
        _ => Val::Undefined,
    }
}

pub(super) fn calculate<'v>(left: &Val<'v>, operator: Operator, right: &Val<'v>) -> Evaluated<'v> {
    if left.is_absent() || right.is_absent() {
        return Ok(Val::Undefined);
    }
    let zero = "a division by zero";
    if let (Val::Int(left), Val::Int(right)) = (left, right)
        && operator != Operator::Divide
    {
        let result = match operator {
            Operator::Add => left.checked_add(*right),
            Operator::Subtract => left.checked_sub(*right),
            Operator::Multiply => left.checked_mul(*right),
            _ if *right == 0 => return Err(zero.to_owned()),
            Operator::FloorDivide => left.checked_div_euclid(*right),
            _ => left.checked_rem_euclid(*right),
        };
        return result.map(Val::Int).ok_or_else(|| "a number is too large".to_owned());
    }
    let (Some(a), Some(b)) = (left.number(), right.number()) else {
        return Err(format!("{} and {} are not calculated with", left.kind(), right.kind()));
    };
    let result = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        _ if b == 0.0 => return Err(zero.to_owned()),
        Operator::Divide => a / b,
        Operator::FloorDivide => a.div_euclid(b),
        _ => a.rem_euclid(b),
    };
    Ok(Val::Float(result))
}
