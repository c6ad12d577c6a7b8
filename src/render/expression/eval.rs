//! The value of a condition. Absent keys are undefined, and so is what is asked of them, so that a rule
//! may ask for a status that is not there yet; to compare or to calculate with them is false or undefined.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::parse::{Expr, Operator};
use super::value::{Evaluated, Val, calculate, item};

/// Bytes that count as one step.
const BYTES: usize = 64;

/// The first name in it that is not `known`.
pub(super) fn unknown_name<'e>(expr: &'e Expr, known: &str) -> Option<&'e str> {
    match expr {
        Expr::Name(name) => (name != known).then_some(name),
        other => other.parts().into_iter().find_map(|part| unknown_name(part, known)),
    }
}

/// Evaluates with a number of steps.
pub(super) struct Evaluator<'v> {
    name: &'v str,
    value: &'v Value,
    steps: usize,
    left: usize,
}

impl<'v> Evaluator<'v> {
    pub(super) fn new(name: &'v str, value: &'v Value, steps: usize) -> Self {
        Self { name, value, steps, left: steps }
    }

    pub(super) fn holds(mut self, expr: &Expr) -> Result<bool, String> {
        self.eval(expr).map(|value| value.is_true())
    }

    pub(super) fn spend(&mut self, steps: usize) -> Result<(), String> {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => return Err(format!("it takes more than {} steps", self.steps)),
        }
        Ok(())
    }

    /// For looking at a text or making one.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<(), String> {
        self.spend(1 + bytes / BYTES)
    }

    pub(super) fn eval(&mut self, expr: &Expr) -> Evaluated<'v> {
        self.spend(1)?;
        Ok(match expr {
            Expr::None => Val::None,
            Expr::Bool(bool) => Val::Bool(*bool),
            Expr::Int(int) => Val::Int(*int),
            Expr::Float(float) => Val::Float(*float),
            Expr::Text(text) => {
                self.spend_bytes(text.len())?;
                Val::Text(Cow::Owned(text.clone()))
            }
            Expr::Name(name) if name == self.name => Val::from(self.value),
            Expr::Name(_) => Val::Undefined,
            Expr::List(items) => {
                Val::List(items.iter().map(|item| self.eval(item)).collect::<Result<_, _>>()?)
            }
            Expr::Attribute(inner, name) => self.eval(inner)?.attribute(name),
            Expr::Item(inner, index) => {
                let (inner, index) = (self.eval(inner)?, self.eval(index)?);
                item(inner, &index)
            }
            Expr::Not(inner) => Val::Bool(!self.eval(inner)?.is_true()),
            Expr::Negative(inner) => match self.eval(inner)? {
                Val::Int(int) => Val::Int(int.checked_neg().ok_or("a number is too large")?),
                Val::Float(float) => Val::Float(-float),
                absent if absent.is_absent() => Val::Undefined,
                other => return Err(format!("{} has no negative", other.kind())),
            },
            Expr::If(parts) => {
                let (condition, then, otherwise) = &**parts;
                match (self.eval(condition)?.is_true(), otherwise) {
                    (true, _) => self.eval(then)?,
                    (false, Some(otherwise)) => self.eval(otherwise)?,
                    (false, None) => Val::Undefined,
                }
            }
            Expr::Binary(left, operator, right) => self.binary(left, *operator, right)?,
            Expr::Filter(value, filter, arguments) => {
                let value = self.eval(value)?;
                let arguments: Vec<Val> =
                    arguments.iter().map(|(_, argument)| self.eval(argument)).collect::<Result<_, _>>()?;
                self.filter(value, *filter, &arguments)?
            }
            Expr::Test(value, test, arguments, negated) => {
                let value = self.eval(value)?;
                let argument = arguments.first().map(|argument| self.eval(argument)).transpose()?;
                Val::Bool(self.test(&value, *test, argument.as_ref())? != *negated)
            }
        })
    }

    pub(super) fn binary(&mut self, left: &Expr, operator: Operator, right: &Expr) -> Evaluated<'v> {
        let left = self.eval(left)?;
        match operator {
            Operator::Or if left.is_true() => return Ok(left),
            Operator::And if !left.is_true() => return Ok(left),
            Operator::Or | Operator::And => return self.eval(right),
            _ => {}
        }
        let right = self.eval(right)?;
        match operator {
            Operator::Concat => {
                let (left, right) = (self.text(&left)?, self.text(&right)?);
                self.spend_bytes(left.len() + right.len())?;
                Ok(Val::Text(Cow::Owned(format!("{left}{right}"))))
            }
            Operator::Add
            | Operator::Subtract
            | Operator::Multiply
            | Operator::Divide
            | Operator::FloorDivide
            | Operator::Remainder => calculate(&left, operator, &right),
            _ => Ok(Val::Bool(self.compare(&left, operator, &right)?)),
        }
    }

    pub(super) fn compare(
        &mut self,
        left: &Val<'v>,
        operator: Operator,
        right: &Val<'v>,
    ) -> Result<bool, String> {
        Ok(match operator {
            Operator::Equal => self.equal(left, right)?,
            Operator::NotEqual => !self.equal(left, right)?,
            Operator::In => self.contains(right, left)?,
            Operator::NotIn => !self.contains(right, left)?,
            _ => {
                let order = self.order(left, right)?;
                match operator {
                    Operator::Less => order == Some(Ordering::Less),
                    Operator::Greater => order == Some(Ordering::Greater),
                    Operator::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
                    _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
                }
            }
        })
    }

    /// None for what has no order: values of two types, maps, lists, what is absent.
    pub(super) fn order(&mut self, left: &Val<'v>, right: &Val<'v>) -> Result<Option<Ordering>, String> {
        self.spend(1)?;
        Ok(match (left, right) {
            (Val::Int(left), Val::Int(right)) => Some(left.cmp(right)),
            (Val::Text(left), Val::Text(right)) => {
                self.spend_bytes(left.len().min(right.len()))?;
                Some(left.cmp(right))
            }
            _ => left.number().zip(right.number()).and_then(|(left, right)| left.partial_cmp(&right)),
        })
    }

    pub(super) fn equal(&mut self, left: &Val<'v>, right: &Val<'v>) -> Result<bool, String> {
        self.spend(1)?;
        Ok(match (left, right) {
            (Val::Undefined, Val::Undefined) | (Val::None, Val::None) => true,
            (Val::Bool(left), Val::Bool(right)) => left == right,
            (Val::Text(left), Val::Text(right)) => {
                self.spend_bytes(left.len().min(right.len()))?;
                left == right
            }
            (Val::Map(left), Val::Map(right)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for (key, value) in *left {
                    self.spend_bytes(key.len())?;
                    let Some(other) = right.get(key) else { return Ok(false) };
                    if !self.equal(&value.into(), &other.into())? {
                        return Ok(false);
                    }
                }
                true
            }
            (Val::Array(_) | Val::List(_), Val::Array(_) | Val::List(_)) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                let (left, right) = (self.items(left)?, self.items(right)?);
                for (left, right) in left.iter().zip(&right) {
                    if !self.equal(left, right)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => self.order(left, right)? == Some(Ordering::Equal),
        })
    }

    pub(super) fn contains(&mut self, container: &Val<'v>, wanted: &Val<'v>) -> Result<bool, String> {
        match (container, wanted) {
            (Val::Text(text), Val::Text(part)) => {
                self.spend_bytes(text.len() + part.len())?;
                Ok(text.contains(&**part))
            }
            // templates look for its text
            (Val::Text(text), other) => {
                let part = self.text(other)?;
                self.spend_bytes(text.len() + part.len())?;
                Ok(text.contains(&*part))
            }
            (Val::Map(map), Val::Text(key)) => Ok(map.contains_key(&**key)),
            (Val::Array(_) | Val::List(_), _) => {
                for item in self.items(container)? {
                    if self.equal(&item, wanted)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    /// The items of a list, the keys of a map; none of what is absent.
    pub(super) fn items(&mut self, value: &Val<'v>) -> Result<Vec<Val<'v>>, String> {
        self.spend(value.len().unwrap_or(0))?;
        Ok(match value {
            Val::Array(items) => items.iter().map(Val::from).collect(),
            Val::List(items) => {
                // texts that were made here are copied
                let bytes = items.iter().map(|item| if let Val::Text(text) = item { text.len() } else { 0 });
                self.spend_bytes(bytes.sum())?;
                items.clone()
            }
            Val::Map(map) => map.keys().map(|key| Val::Text(Cow::Borrowed(key))).collect(),
            absent if absent.is_absent() => Vec::new(),
            other => return Err(format!("{} has no items", other.kind())),
        })
    }

    /// A value as text, as far as it has one.
    pub(super) fn text(&mut self, value: &Val<'v>) -> Result<Cow<'v, str>, String> {
        Ok(match value {
            Val::Text(text) => {
                self.spend_bytes(text.len())?;
                text.clone()
            }
            Val::Undefined => "".into(),
            // as templates write them into texts
            Val::None => "None".into(),
            Val::Bool(bool) => if *bool { "True" } else { "False" }.into(),
            Val::Int(int) => int.to_string().into(),
            Val::Float(float) => {
                let text = float.to_string();
                let whole = float.is_finite() && !text.contains('.');
                if whole { format!("{text}.0") } else { text }.into()
            }
            other => return Err(format!("{} is no text", other.kind())),
        })
    }
}
