//! The filters and tests of conditions, by the names that templates have for them.

use super::parse::{Argument, Expr, Operator};

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
