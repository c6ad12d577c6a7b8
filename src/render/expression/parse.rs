//! From the text of a condition to its tree. The grammar is that of minijinja's expressions without
//! slices, maps, calls and powers.

use super::MAX_TEXT;
use super::names::{Filter, Test};

/// Nesting of parentheses and lists: what the parser's stack carries.
const MAX_DEPTH: usize = 50;
/// Height of the tree, to which a chain (`a ~ b ~ c`) adds as well: what the evaluator's stack carries.
const MAX_HEIGHT: usize = 150;

/// A condition, or a part of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Name(String),
    List(Vec<Expr>),
    Attribute(Box<Expr>, String),
    Item(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    /// Condition, then, else.
    If(Box<(Expr, Expr, Option<Expr>)>),
    Filter(Box<Expr>, Filter, Vec<Argument>),
    /// The flag says `is not`.
    Test(Box<Expr>, Test, Vec<Expr>, bool),
}

impl Expr {
    fn height(&self) -> usize {
        1 + self.parts().into_iter().map(Self::height).max().unwrap_or(0)
    }

    /// What it is made of.
    pub(super) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::List(items) => items.iter().collect(),
            Self::Attribute(inner, _) | Self::Not(inner) | Self::Negative(inner) => vec![inner],
            Self::Item(left, right) | Self::Binary(left, _, right) => vec![left, right],
            Self::If(parts) => [&parts.0, &parts.1].into_iter().chain(&parts.2).collect(),
            Self::Filter(value, _, arguments) => {
                std::iter::once(&**value).chain(arguments.iter().map(|(_, argument)| argument)).collect()
            }
            Self::Test(value, _, arguments, _) => std::iter::once(&**value).chain(arguments).collect(),
            _ => Vec::new(),
        }
    }
}

/// An argument of a filter, with its name where it has one.
pub(super) type Argument = (Option<String>, Expr);

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Concat,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Int(i64),
    Float(f64),
    Symbol(&'static str),
}

/// Longest first.
const SYMBOLS: [&str; 21] = [
    "==", "!=", "<=", ">=", "//", "<", ">", "(", ")", "[", "]", ".", ",", "|", "~", "+", "-", "*", "/", "%",
    "=",
];

/// Reads a condition.
pub(super) fn parse(text: &str) -> Result<Expr, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("it has more than {MAX_TEXT} bytes"));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let parsed = parser.expression()?;
    match parser.peek() {
        None if parsed.height() > MAX_HEIGHT => {
            Err(format!("it has more than {MAX_HEIGHT} operators that depend on each other"))
        }
        None => Ok(parsed),
        Some(token) => Err(format!("{} was not expected", shown(token))),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken;
        if first == '_' || first.is_alphabetic() {
            taken = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
            out.push(Token::Word(rest[..taken].to_owned()));
        } else if first.is_ascii_digit() {
            let (token, length) = number(rest)?;
            taken = length;
            out.push(token);
        } else if first == '"' || first == '\'' {
            let (text, length) = quoted(rest, first)?;
            taken = length;
            out.push(Token::Text(text));
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            taken = symbol.len();
            out.push(Token::Symbol(symbol));
        } else {
            return Err(format!("{first:?} was not expected"));
        }
        rest = rest[taken..].trim_start();
    }
    Ok(out)
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let digits = |from: usize| {
        text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |length| from + length)
    };
    let mut end = digits(0);
    let whole = end;
    if text[end..].starts_with('.') && text[end + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        if text[end + 1 + sign..].starts_with(|c: char| c.is_ascii_digit()) {
            end = digits(end + 1 + sign);
        }
    }
    let token = match end == whole {
        true => text[..end].parse().ok().map(Token::Int),
        false => text[..end].parse().ok().filter(|float: &f64| float.is_finite()).map(Token::Float),
    };
    token.map(|token| (token, end)).ok_or_else(|| "a number in it is too large".to_owned())
}

/// The text between quotes, and how long it is with them.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((out, at + 1)),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, other @ ('\\' | '"' | '\'' | '/'))) => out.push(other),
                _ => return Err("a text in it has an escape that is not known".to_owned()),
            },
            c => out.push(c),
        }
    }
    Err("a text in it has no end".to_owned())
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(word) => format!("`{word}`"),
        Token::Text(_) => "a text".to_owned(),
        Token::Int(_) | Token::Float(_) => "a number".to_owned(),
        Token::Symbol(symbol) => format!("`{symbol}`"),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expr, String>;

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn skip(&mut self, wanted: &str) -> bool {
        let found = match self.peek() {
            Some(Token::Symbol(symbol)) => *symbol == wanted,
            Some(Token::Word(word)) => word == wanted,
            _ => false,
        };
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.skip(wanted) {
            return Ok(());
        }
        Err(match self.peek() {
            Some(token) => format!("expected `{wanted}`, not {}", shown(token)),
            None => format!("it ends where `{wanted}` was expected"),
        })
    }

    fn word(&mut self) -> Result<String, String> {
        match self.next() {
            Some(Token::Word(word)) => Ok(word),
            Some(token) => Err(format!("expected a name, not {}", shown(&token))),
            None => Err("it ends where a name was expected".to_owned()),
        }
    }

    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        if self.depth == MAX_DEPTH {
            return Err(format!("it is nested more than {MAX_DEPTH} levels deep"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn expression(&mut self) -> Parsed {
        self.nested(|parser| {
            let then = parser.or()?;
            if !parser.skip("if") {
                return Ok(then);
            }
            let condition = parser.or()?;
            let otherwise = if parser.skip("else") { Some(parser.expression()?) } else { None };
            Ok(Expr::If(Box::new((condition, then, otherwise))))
        })
    }

    /// Operands of one rank, joined from the left.
    fn chain(&mut self, operand: fn(&mut Self) -> Parsed, operators: &[(&str, Operator)]) -> Parsed {
        let mut left = operand(self)?;
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.skip(symbol)) {
            left = Expr::Binary(Box::new(left), *operator, Box::new(operand(self)?));
        }
        Ok(left)
    }

    fn or(&mut self) -> Parsed {
        self.chain(Self::and, &[("or", Operator::Or)])
    }

    fn and(&mut self) -> Parsed {
        self.chain(Self::not, &[("and", Operator::And)])
    }

    fn not(&mut self) -> Parsed {
        if self.skip("not") {
            return self.nested(|parser| Ok(Expr::Not(Box::new(parser.not()?))));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Parsed {
        let left = self.concat()?;
        let operators = [
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::LessOrEqual),
            (">=", Operator::GreaterOrEqual),
            ("<", Operator::Less),
            (">", Operator::Greater),
            ("in", Operator::In),
        ];
        let mut operator = operators.iter().find(|(symbol, _)| self.skip(symbol)).map(|(_, it)| *it);
        if operator.is_none() && self.skip("not") {
            self.expect("in")?;
            operator = Some(Operator::NotIn);
        }
        let Some(operator) = operator else { return Ok(left) };
        Ok(Expr::Binary(Box::new(left), operator, Box::new(self.concat()?)))
    }

    fn concat(&mut self) -> Parsed {
        self.chain(Self::sum, &[("~", Operator::Concat)])
    }

    fn sum(&mut self) -> Parsed {
        self.chain(Self::product, &[("+", Operator::Add), ("-", Operator::Subtract)])
    }

    fn product(&mut self) -> Parsed {
        let operators = [
            ("*", Operator::Multiply),
            ("//", Operator::FloorDivide),
            ("/", Operator::Divide),
            ("%", Operator::Remainder),
        ];
        self.chain(Self::unary, &operators)
    }

    fn unary(&mut self) -> Parsed {
        if self.skip("-") {
            return self.nested(|parser| Ok(Expr::Negative(Box::new(parser.unary()?))));
        }
        let mut value = self.primary()?;
        loop {
            value = if self.skip(".") {
                Expr::Attribute(Box::new(value), self.word()?)
            } else if self.skip("[") {
                let index = self.expression()?;
                self.expect("]")?;
                Expr::Item(Box::new(value), Box::new(index))
            } else if self.skip("|") {
                let name = self.word()?;
                let filter = Filter::named(&name).ok_or_else(|| format!("there is no filter `{name}`"))?;
                let arguments = if self.skip("(") { self.arguments()? } else { Vec::new() };
                filter.check(&name, &arguments)?;
                Expr::Filter(Box::new(value), filter, arguments)
            } else if self.skip("is") {
                self.test(value)?
            } else {
                return Ok(value);
            };
        }
    }

    fn test(&mut self, value: Expr) -> Parsed {
        let negated = self.skip("not");
        let name = self.word()?;
        let test = Test::named(&name).ok_or_else(|| format!("there is no test `{name}`"))?;
        let mut arguments = Vec::new();
        if test.takes_argument() {
            if self.skip("(") {
                arguments.push(self.expression()?);
                self.expect(")")?;
            } else {
                arguments.push(self.nested(Self::primary)?);
            }
        } else if self.skip("(") {
            self.expect(")")?;
        }
        Ok(Expr::Test(Box::new(value), test, arguments, negated))
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, String> {
        let mut out = Vec::new();
        while !self.skip(")") {
            if !out.is_empty() {
                self.expect(",")?;
            }
            let named =
                matches!(self.tokens.get(self.at..self.at + 2), Some([Token::Word(_), Token::Symbol("=")]));
            let name = if named { Some(self.word()?) } else { None };
            if named {
                self.expect("=")?;
            }
            out.push((name, self.expression()?));
        }
        Ok(out)
    }

    fn primary(&mut self) -> Parsed {
        match self.next() {
            Some(Token::Int(number)) => Ok(Expr::Int(number)),
            Some(Token::Float(number)) => Ok(Expr::Float(number)),
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Word(word)) => Ok(match word.as_str() {
                "true" | "True" => Expr::Bool(true),
                "false" | "False" => Expr::Bool(false),
                "none" | "None" => Expr::None,
                "and" | "or" | "not" | "in" | "is" | "if" | "else" => {
                    return Err(format!("`{word}` was not expected"));
                }
                _ => Expr::Name(word),
            }),
            Some(Token::Symbol("(")) => {
                let inner = self.expression()?;
                self.expect(")")?;
                Ok(inner)
            }
            Some(Token::Symbol("[")) => {
                let mut items = Vec::new();
                while !self.skip("]") {
                    if !items.is_empty() {
                        self.expect(",")?;
                    }
                    items.push(self.expression()?);
                }
                Ok(Expr::List(items))
            }
            Some(token) => Err(format!("{} was not expected", shown(&token))),
            None => Err("it ends in the middle".to_owned()),
        }
    }
}
