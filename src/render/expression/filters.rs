//! What the filters and tests of a condition do, each for its steps.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::eval::Evaluator;
use super::names::{Filter, Test};
use super::parse::Operator;
use super::value::{Evaluated, Val, calculate, item};

impl<'v> Evaluator<'v> {
    pub(super) fn filter(&mut self, value: Val<'v>, filter: Filter, arguments: &[Val<'v>]) -> Evaluated<'v> {
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

    pub(super) fn first_text(&mut self, arguments: &[Val<'v>]) -> Result<Cow<'v, str>, String> {
        arguments.first().map_or(Ok("".into()), |text| self.text(text))
    }

    /// `a.b.0` in a value.
    pub(super) fn path(&mut self, value: Val<'v>, path: &str) -> Evaluated<'v> {
        path.split('.').try_fold(value, |value, key| {
            self.spend_bytes(key.len())?;
            Ok(match (&value, key.parse::<i64>()) {
                (Val::Array(_) | Val::List(_), Ok(index)) => item(value, &Val::Int(index)),
                _ => value.attribute(key),
            })
        })
    }

    /// The items of a list, or those of which an attribute is so.
    pub(super) fn choose(
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

    pub(super) fn test(
        &mut self,
        value: &Val<'v>,
        test: Test,
        argument: Option<&Val<'v>>,
    ) -> Result<bool, String> {
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

    pub(super) fn as_number(&mut self, value: &Val<'v>, whole: bool) -> Evaluated<'v> {
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
