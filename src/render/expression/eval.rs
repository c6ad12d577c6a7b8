//! The value of a condition. Absent keys are undefined, and so is what is asked of them, so that a rule
//! may ask for a status that is not there yet; to compare or to calculate with them is false or undefined.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::parse::{Argument, Expr, Operator};

/// Bytes that count as one step.
const BYTES: usize = 64;

/// What takes a value and arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    Length,
    Default,
    First,
    Last,
    Lower,
    Upper,
    Trim,
    Int,
    Float,
    Abs,
    List,
    Sum,
    Min,
    Max,
    Join,
    Replace,
    Map,
    Select,
    Reject,
    SelectAttribute,
    RejectAttribute,
}

impl Filter {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "length" | "count" => Self::Length,
            "default" | "d" => Self::Default,
            "first" => Self::First,
            "last" => Self::Last,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "trim" => Self::Trim,
            "int" => Self::Int,
            "float" => Self::Float,
            "abs" => Self::Abs,
            "list" => Self::List,
            "sum" => Self::Sum,
            "min" => Self::Min,
            "max" => Self::Max,
            "join" => Self::Join,
            "replace" => Self::Replace,
            "map" => Self::Map,
            "select" => Self::Select,
            "reject" => Self::Reject,
            "selectattr" => Self::SelectAttribute,
            "rejectattr" => Self::RejectAttribute,
            _ => return None,
        })
    }

    /// Are the arguments such as it takes?
    pub(super) fn check(self, name: &str, arguments: &[Argument]) -> Result<(), String> {
        let names: Vec<_> = arguments.iter().map(|(name, _)| name.as_deref()).collect();
        let text = |at: usize| match arguments.get(at) {
            Some((None, Expr::Text(text))) => Some(text.as_str()),
            _ => None,
        };
        let tests = |at: usize| match arguments.len().checked_sub(at) {
            Some(0) => true,
            Some(given) => {
                let test = text(at).and_then(Test::named);
                test.is_some_and(|test| given == 1 + usize::from(test.takes_argument()))
            }
            None => false,
        };
        let fits = match self {
            Self::Map => matches!(arguments, [(Some(name), Expr::Text(_))] if name == "attribute"),
            _ if names.iter().any(Option::is_some) => false,
            Self::Default | Self::Join => names.len() <= 1,
            Self::Replace => names.len() == 2,
            Self::Select | Self::Reject => tests(0),
            Self::SelectAttribute | Self::RejectAttribute => text(0).is_some() && tests(1),
            _ => names.is_empty(),
        };
        if fits { Ok(()) } else { Err(format!("filter `{name}` does not take these arguments")) }
    }
}

/// What is said of a value with `is`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Test {
    Defined,
    Undefined,
    None,
    True,
    False,
    Truthy,
    Boolean,
    Text,
    Number,
    Integer,
    Map,
    Sequence,
    Odd,
    Even,
    StartsWith,
    EndsWith,
    Compare(Operator),
}

impl Test {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "defined" => Self::Defined,
            "undefined" => Self::Undefined,
            "none" => Self::None,
            "true" => Self::True,
            "false" => Self::False,
            "boolean" => Self::Boolean,
            "string" => Self::Text,
            "number" => Self::Number,
            "integer" => Self::Integer,
            "mapping" => Self::Map,
            "sequence" | "iterable" => Self::Sequence,
            "odd" => Self::Odd,
            "even" => Self::Even,
            "startingwith" => Self::StartsWith,
            "endingwith" => Self::EndsWith,
            "eq" | "equalto" | "==" => Self::Compare(Operator::Equal),
            "ne" | "!=" => Self::Compare(Operator::NotEqual),
            "lt" | "lessthan" | "<" => Self::Compare(Operator::Less),
            "le" | "<=" => Self::Compare(Operator::LessOrEqual),
            "gt" | "greaterthan" | ">" => Self::Compare(Operator::Greater),
            "ge" | ">=" => Self::Compare(Operator::GreaterOrEqual),
            "in" => Self::Compare(Operator::In),
            _ => return None,
        })
    }

    pub(super) fn takes_argument(self) -> bool {
        matches!(self, Self::StartsWith | Self::EndsWith | Self::Compare(_))
    }
}

/// A value while it is worked with. What is in the JSON is borrowed.
#[derive(Debug, Clone)]
enum Val<'v> {
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
    fn is_true(&self) -> bool {
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

    fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as JSON's readers do")]
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            // as in Python, and so in templates
            Self::Bool(bool) => Some(f64::from(u8::from(*bool))),
            _ => None,
        }
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Undefined | Self::None)
    }

    fn len(&self) -> Option<usize> {
        match self {
            Self::Text(text) => Some(text.chars().count()),
            Self::Map(map) => Some(map.len()),
            Self::Array(items) => Some(items.len()),
            Self::List(items) => Some(items.len()),
            _ => None,
        }
    }

    fn kind(&self) -> &'static str {
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

    fn attribute(&self, name: &str) -> Self {
        match self {
            Self::Map(map) => map.get(name).map_or(Self::Undefined, Self::from),
            _ => Self::Undefined,
        }
    }
}

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

type Evaluated<'v> = Result<Val<'v>, String>;

impl<'v> Evaluator<'v> {
    pub(super) fn new(name: &'v str, value: &'v Value, steps: usize) -> Self {
        Self { name, value, steps, left: steps }
    }

    pub(super) fn holds(mut self, expr: &Expr) -> Result<bool, String> {
        self.eval(expr).map(|value| value.is_true())
    }

    fn spend(&mut self, steps: usize) -> Result<(), String> {
        match self.left.checked_sub(steps) {
            Some(left) => self.left = left,
            None => return Err(format!("it takes more than {} steps", self.steps)),
        }
        Ok(())
    }

    /// For looking at a text or making one.
    fn spend_bytes(&mut self, bytes: usize) -> Result<(), String> {
        self.spend(1 + bytes / BYTES)
    }

    fn eval(&mut self, expr: &Expr) -> Evaluated<'v> {
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

    fn binary(&mut self, left: &Expr, operator: Operator, right: &Expr) -> Evaluated<'v> {
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

    fn compare(&mut self, left: &Val<'v>, operator: Operator, right: &Val<'v>) -> Result<bool, String> {
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
    fn order(&mut self, left: &Val<'v>, right: &Val<'v>) -> Result<Option<Ordering>, String> {
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

    fn equal(&mut self, left: &Val<'v>, right: &Val<'v>) -> Result<bool, String> {
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

    fn contains(&mut self, container: &Val<'v>, wanted: &Val<'v>) -> Result<bool, String> {
        match (container, wanted) {
            (Val::Text(text), Val::Text(part)) => {
                self.spend_bytes(text.len() + part.len())?;
                Ok(text.contains(&**part))
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
    fn items(&mut self, value: &Val<'v>) -> Result<Vec<Val<'v>>, String> {
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
    fn text(&mut self, value: &Val<'v>) -> Result<Cow<'v, str>, String> {
        Ok(match value {
            Val::Text(text) => {
                self.spend_bytes(text.len())?;
                text.clone()
            }
            Val::Undefined => "".into(),
            Val::None => "none".into(),
            Val::Bool(bool) => bool.to_string().into(),
            Val::Int(int) => int.to_string().into(),
            Val::Float(float) => float.to_string().into(),
            other => return Err(format!("{} is no text", other.kind())),
        })
    }

    fn filter(&mut self, value: Val<'v>, filter: Filter, arguments: &[Val<'v>]) -> Evaluated<'v> {
        Ok(match filter {
            Filter::Default => match value {
                Val::Undefined => arguments.first().cloned().unwrap_or_else(|| Val::Text("".into())),
                value => value,
            },
            Filter::Length => {
                if let Val::Text(text) = &value {
                    self.spend_bytes(text.len())?;
                }
                match value.len() {
                    Some(length) => Val::Int(i64::try_from(length).unwrap_or(i64::MAX)),
                    None if value.is_absent() => Val::Undefined,
                    None => return Err(format!("{} has no length", value.kind())),
                }
            }
            Filter::First | Filter::Last => {
                let mut items = self.items(&value)?;
                let at = if filter == Filter::First { 0 } else { items.len().saturating_sub(1) };
                if at < items.len() { items.swap_remove(at) } else { Val::Undefined }
            }
            Filter::Lower | Filter::Upper | Filter::Trim => {
                let text = self.text(&value)?;
                self.spend_bytes(text.len())?;
                Val::Text(match filter {
                    Filter::Lower => text.to_lowercase().into(),
                    Filter::Upper => text.to_uppercase().into(),
                    _ => text.trim().to_owned().into(),
                })
            }
            Filter::Int | Filter::Float => self.as_number(&value, filter == Filter::Int)?,
            Filter::Abs => match value {
                Val::Int(int) => Val::Int(int.checked_abs().ok_or("a number is too large")?),
                Val::Float(float) => Val::Float(float.abs()),
                absent if absent.is_absent() => Val::Undefined,
                other => return Err(format!("{} is no number", other.kind())),
            },
            Filter::List => Val::List(self.items(&value)?),
            Filter::Sum => {
                let items = self.items(&value)?;
                let mut sum = Val::Int(0);
                for item in items.iter().filter(|item| !item.is_absent()) {
                    sum = calculate(&sum, Operator::Add, item)?;
                }
                sum
            }
            Filter::Min | Filter::Max => {
                let wanted = if filter == Filter::Min { Ordering::Less } else { Ordering::Greater };
                let mut best = Val::Undefined;
                for item in self.items(&value)? {
                    if matches!(best, Val::Undefined) || self.order(&item, &best)? == Some(wanted) {
                        best = item;
                    }
                }
                best
            }
            Filter::Join => {
                let between = arguments.first().map(|text| self.text(text)).transpose()?.unwrap_or_default();
                let mut out = String::new();
                for (i, item) in self.items(&value)?.iter().enumerate() {
                    let text = self.text(item)?;
                    self.spend_bytes(between.len() + text.len())?;
                    if i > 0 {
                        out.push_str(&between);
                    }
                    out.push_str(&text);
                }
                Val::Text(out.into())
            }
            Filter::Replace => {
                let text = self.text(&value)?;
                let [from, to] = arguments else { return Err("replace needs two texts".to_owned()) };
                let (from, to) = (self.text(from)?, self.text(to)?);
                self.spend_bytes(text.len() + from.len())?;
                let found = text.matches(&*from).count();
                self.spend_bytes(text.len().saturating_add(found.saturating_mul(to.len())))?;
                Val::Text(text.replace(&*from, &to).into())
            }
            Filter::Map => {
                let path = self.first_text(arguments)?;
                let items = self.items(&value)?;
                let mut out = Vec::new();
                for item in items {
                    out.push(self.path(item, &path)?);
                }
                Val::List(out)
            }
            Filter::Select | Filter::Reject => {
                self.choose(&value, None, arguments, filter == Filter::Select)?
            }
            Filter::SelectAttribute | Filter::RejectAttribute => {
                let path = self.first_text(arguments)?;
                let wanted = filter == Filter::SelectAttribute;
                self.choose(&value, Some(&path), arguments.get(1..).unwrap_or_default(), wanted)?
            }
        })
    }

    fn first_text(&mut self, arguments: &[Val<'v>]) -> Result<Cow<'v, str>, String> {
        arguments.first().map_or(Ok("".into()), |text| self.text(text))
    }

    /// `a.b.0` in a value.
    fn path(&mut self, value: Val<'v>, path: &str) -> Evaluated<'v> {
        path.split('.').try_fold(value, |value, key| {
            self.spend_bytes(key.len())?;
            Ok(match (&value, key.parse::<i64>()) {
                (Val::Array(_) | Val::List(_), Ok(index)) => item(value, &Val::Int(index)),
                _ => value.attribute(key),
            })
        })
    }

    /// The items of a list, or those of which an attribute is so.
    fn choose(
        &mut self,
        list: &Val<'v>,
        path: Option<&str>,
        arguments: &[Val<'v>],
        wanted: bool,
    ) -> Evaluated<'v> {
        let test = match arguments.first() {
            Some(Val::Text(name)) => Test::named(name).ok_or("there is no such test")?,
            _ => Test::Truthy,
        };
        let mut out = Vec::new();
        for item in self.items(list)? {
            self.spend(1)?;
            let subject = match path {
                Some(path) => self.path(item.clone(), path)?,
                None => item.clone(),
            };
            if self.test(&subject, test, arguments.get(1))? == wanted {
                out.push(item);
            }
        }
        Ok(Val::List(out))
    }

    fn test(&mut self, value: &Val<'v>, test: Test, argument: Option<&Val<'v>>) -> Result<bool, String> {
        self.spend(1)?;
        let nothing = Val::Undefined;
        let argument = argument.unwrap_or(&nothing);
        Ok(match test {
            Test::Defined => !matches!(value, Val::Undefined),
            Test::Undefined => matches!(value, Val::Undefined),
            Test::None => matches!(value, Val::None),
            Test::True => matches!(value, Val::Bool(true)),
            Test::False => matches!(value, Val::Bool(false)),
            Test::Truthy => value.is_true(),
            Test::Boolean => matches!(value, Val::Bool(_)),
            Test::Text => matches!(value, Val::Text(_)),
            Test::Number => value.number().is_some(),
            Test::Integer => matches!(value, Val::Int(_)),
            Test::Map => matches!(value, Val::Map(_)),
            Test::Sequence => matches!(value, Val::Array(_) | Val::List(_)),
            Test::Odd => matches!(value, Val::Int(int) if int % 2 != 0),
            Test::Even => matches!(value, Val::Int(int) if int % 2 == 0),
            Test::StartsWith | Test::EndsWith => match (value, argument) {
                (Val::Text(text), Val::Text(part)) => {
                    self.spend_bytes(part.len())?;
                    if test == Test::StartsWith { text.starts_with(&**part) } else { text.ends_with(&**part) }
                }
                _ => false,
            },
            Test::Compare(operator) => self.compare(value, operator, argument)?,
        })
    }

    fn as_number(&mut self, value: &Val<'v>, whole: bool) -> Evaluated<'v> {
        let number = match value {
            Val::Int(int) if whole => return Ok(Val::Int(*int)),
            Val::Text(text) => {
                self.spend_bytes(text.len())?;
                if let (true, Ok(int)) = (whole, text.trim().parse()) {
                    return Ok(Val::Int(int));
                }
                text.trim().parse().map_err(|_| "a text is no number")?
            }
            absent if absent.is_absent() => return Ok(Val::Undefined),
            other => other.number().ok_or_else(|| format!("{} is no number", other.kind()))?,
        };
        if !whole {
            return Ok(Val::Float(number));
        }
        #[expect(clippy::cast_possible_truncation, reason = "the range was looked at")]
        let int = (number.abs() < 9.2e18).then_some(number as i64);
        int.map(Val::Int).ok_or_else(|| "a number is too large".to_owned())
    }
}

fn item<'v>(value: Val<'v>, index: &Val<'v>) -> Val<'v> {
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

fn calculate<'v>(left: &Val<'v>, operator: Operator, right: &Val<'v>) -> Evaluated<'v> {
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
