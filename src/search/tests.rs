//! What is typed, and what it becomes in both languages. That stores understand it so is tried in
//! `tests/search.rs`.

use proptest::prelude::*;
use regex::Regex;

use super::*;

fn logql(typed: &str) -> String {
    parse(typed).unwrap_or_else(|bad| panic!("{typed}: {bad:?}")).in_language(Language::LogQl).unwrap()
}

fn lucene(typed: &str) -> String {
    parse(typed).unwrap_or_else(|bad| panic!("{typed}: {bad:?}")).in_language(Language::Lucene).unwrap()
}

const ALL: &str = r#"{namespace=~".+"}"#;
const JSON: &str = " | json | drop __error__, __error_details__";

#[test]
fn each_condition_in_both_languages() {
    for (typed, in_logql, in_lucene) in [
        ("", ALL.to_owned(), "*:*"),
        ("timeout", format!(r#"{ALL} |~ "(?i)timeout""#), "message:timeout"),
        ("502", format!(r#"{ALL} |= "502""#), "message:502"),
        ("-timeout", format!(r#"{ALL} !~ "(?i)timeout""#), "NOT message:timeout"),
        ("-502", format!(r#"{ALL} != "502""#), "NOT message:502"),
        ("time*", format!(r#"{ALL} |~ "(?i)time\\w*""#), "message:time*"),
        (r#""a.b \"c\" \\d""#, format!(r#"{ALL} |~ "(?i)a\\.b \"c\" \\\\d""#), r#"message:"a.b \"c\" \\d""#),
        (r#"don't"#, format!(r#"{ALL} |~ "(?i)don't""#), r#"message:"don't""#),
        ("http://x?a=b", format!(r#"{ALL} |~ "(?i)http://x\\?a=b""#), r#"message:"http://x?a=b""#),
        ("message=boom", format!(r#"{ALL} |~ "(?i)boom""#), "message:boom"),
        ("level=ERROR", format!(r#"{ALL} | detected_level="error""#), "detected_level:error"),
        ("level!=debug", format!(r#"{ALL} | detected_level!="debug""#), "NOT detected_level:debug"),
        (
            "level>=warn",
            format!(r#"{ALL} | detected_level=~"warn|error|fatal|critical""#),
            "detected_level:(warn OR error OR fatal)",
        ),
        (
            "level=~err|warn.*",
            format!(r#"{ALL} | detected_level=~"warn|error""#),
            "detected_level:(warn OR error)",
        ),
        ("level=", format!(r#"{ALL} | detected_level=~"|unknown""#), "NOT _exists_:detected_level"),
        ("app=flask-api", r#"{app="flask-api"}"#.to_owned(), r#"kubernetes.app:"flask-api""#),
        ("pod=shop-*", r#"{namespace=~".+", pod=~"shop-.*"}"#.to_owned(), r"kubernetes.pod_name:shop\-*"),
        (
            "namespace!=kube-system",
            r#"{namespace=~".+", namespace!="kube-system"}"#.to_owned(),
            r#"NOT kubernetes.namespace_name:"kube-system""#,
        ),
        ("node=n1", format!(r#"{ALL} | node="n1""#), "kubernetes.node_name:n1"),
        ("path=/checkout", format!(r#"{ALL}{JSON} | path="/checkout""#), r#"path:"/checkout""#),
        ("path!=/checkout", format!(r#"{ALL}{JSON} | path!="/checkout""#), r#"NOT path:"/checkout""#),
        ("-path=/checkout", format!(r#"{ALL}{JSON} | path!="/checkout""#), r#"NOT path:"/checkout""#),
        ("path=/api/*", format!(r#"{ALL}{JSON} | path=~"/api/.*""#), r"path:\/api\/*"),
        (r#"path="/api/*""#, format!(r#"{ALL}{JSON} | path="/api/*""#), r#"path:"/api/*""#),
        ("path=~/api/(a|b)", format!(r#"{ALL}{JSON} | path=~"/api/(a|b)""#), r"path:/\/api\/([a-b])/"),
        ("path=*", format!(r#"{ALL}{JSON} | path!="""#), "_exists_:path"),
        ("path=", format!(r#"{ALL}{JSON} | path="""#), "NOT _exists_:path"),
        ("order.id=7", format!(r#"{ALL}{JSON} | order_id="7""#), "fields.order.id:7"),
        ("fields.pod=x", format!(r#"{ALL}{JSON} | pod_extracted="x""#), "fields.pod:x"),
        ("duration>1000", format!(r#"{ALL}{JSON} | duration > 1000 | __error__="""#), "duration:>1000"),
        ("-duration>1000", format!(r#"{ALL}{JSON} | duration <= 1000 | __error__="""#), "duration:<=1000"),
        ("status<-1", format!(r#"{ALL}{JSON} | status < -1 | __error__="""#), "status:{* TO -1}"),
        ("method=OR", format!(r#"{ALL}{JSON} | method="OR""#), r#"method:"OR""#),
        (
            "offset=5",
            format!(r#"{ALL}{JSON} | label_format its_offset="{{{{.offset}}}}" | its_offset="5""#),
            "fields.offset:5",
        ),
        (
            "on=* On!=a x=1 on=b*",
            format!(
                r#"{ALL}{JSON} | x="1" | label_format its_on="{{{{.on}}}}" | its_on!="" | label_format its_On="{{{{.On}}}}" | its_On!="a" | its_on=~"b.*""#
            ),
            "_exists_:fields.on AND NOT fields.On:a AND fields.x:1 AND fields.on:b*",
        ),
        (r#"x=~"a\\\\""#, format!(r#"{ALL}{JSON} | x=~"a\\\\""#), r"fields.x:/a[\\]/"),
        (r#"x=~"[\\\\/]""#, format!(r#"{ALL}{JSON} | x=~"[\\\\/]""#), r"fields.x:/[\/\\]/"),
        (r"x=<\*", format!(r#"{ALL}{JSON} | x=~"<\\\\.*""#), r"fields.x:/\<[\\].*/"),
        ("x=a<*", format!(r#"{ALL}{JSON} | x=~"a<.*""#), r"fields.x:/a\<.*/"),
    ] {
        assert_eq!(logql(typed), in_logql, "{typed}");
        assert_eq!(lucene(typed), in_lucene, "{typed}");
    }
    assert_eq!(
        logql("timeout level=error path=/checkout app=shop duration>5"),
        format!(
            r#"{{app="shop"}} |~ "(?i)timeout" | detected_level="error"{JSON} | path="/checkout" | duration > 5 | __error__="""#
        )
    );
    assert_eq!(
        lucene("timeout level=error app=shop"),
        "message:timeout AND detected_level:error AND kubernetes.app:shop"
    );
}

#[test]
fn mistakes_are_said_with_a_way_out() {
    for (typed, why) in [
        ("\"open", "the quote before open is not closed"),
        ("\"a\"b", "behind \"a\" stands no space"),
        ("a OR b", "OR is no part of this language: all conditions must hold"),
        ("duration>fast", "duration>fast: \"fast\" is no number"),
        ("level=loud", "\"loud\" is no level"),
        ("level=~nothing", "\"nothing\" is no level"),
        ("level>fatal", "level>fatal: there is no level above fatal"),
        ("-level>fatal", "level>fatal: there is no level above fatal"),
        ("level<trace", "level<trace: there is no level below trace"),
        ("-level<finest", "level<finest: there is no level below finest"),
        ("x=~a(b", "\"a(b\" is not a regular expression: unclosed group"),
        ("x=~a)|(b", "\"a)|(b\" is not a regular expression: unopened group"),
        ("\"\"", "an empty text is in every line"),
        ("message>5", "message is the line, and no number"),
    ] {
        let bad = parse(typed).expect_err(typed);
        assert_eq!(bad.why, why, "{typed}");
        assert!(!bad.hint.is_empty());
    }
    for (typed, language, why) in [
        (
            "message=~a.b",
            Language::Lucene,
            "\"a.b\": this store knows the words of a line, and finds no regular expression in it",
        ),
        ("---", Language::Lucene, "\"---\" holds no word, and this store knows only the words of a line"),
        ("a-b*", Language::Lucene, "a-b*: this store finds * within one word only"),
        (
            "amount>5",
            Language::Lucene,
            "amount is kept as words in this store, and cannot be compared as a number",
        ),
        (r"x=~a\bb", Language::Lucene, r"x=~a\bb: ^ and $ can only stand at its ends here, and \b nowhere"),
        ("pod>5", Language::LogQl, "pod is a name, and no number"),
        ("labels.tier=web", Language::LogQl, "labels.tier: Loki has no labels of pods"),
    ] {
        assert_eq!(parse(typed).unwrap().in_language(language).unwrap_err().why, why, "{typed}");
    }
}

/// Which nobody can type, but a condition that is none of the levels must not become one without a level.
#[test]
fn none_of_the_levels_is_no_line() {
    for (wanted, in_logql, in_lucene) in [
        (true, r#"detected_level="" | detected_level!="""#, "NOT *:*"),
        (false, r#"detected_level=~".*""#, "*:*"),
    ] {
        let query = Query { terms: vec![Term::Level { levels: Vec::new(), none: false, wanted }] };
        assert_eq!(query.in_language(Language::LogQl).unwrap(), format!("{ALL} | {in_logql}"));
        assert_eq!(query.in_language(Language::Lucene).unwrap(), in_lucene);
    }
}

/// What stands before the `/` that ends an expression never takes it with it.
#[test]
fn an_expression_for_lucene_ends_where_it_ends() {
    // as the store reads it: as far as possible, in which `\/` is one sign
    let token = Regex::new(r"/(?:\\/|[^/])*/").unwrap();
    for typed in
        [r#"a=~"x\\\\" b="p/q""#, r#"a=<\* b="p/q""#, r#"a=~"[a\\\\]" b="p/q""#, r#"a=~"x\\\\/" b="p/q""#]
    {
        let query = lucene(typed);
        let read = token.find(&query).unwrap().as_str();
        let (expression, _) = query.split_once(" AND ").unwrap();
        assert!(expression.ends_with(read), "{query} is read as {read}");
    }
}

/// A text as a person would put it into quotes.
fn typed(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        r#"[ a-cA-C"\\/*?<>{}()|&!:=~^+\[\]\n\t.`'-]{0,12}"#,
        r"[\x00-\x1f\u{80}-\u{9f}\u{202e}é監🙂]{0,6}",
    ]
}

proptest! {
    #[test]
    fn a_quoted_text_is_that_text(text in any_text()) {
        prop_assume!(!text.is_empty());
        let term = Term::Text { text: Pattern::exact(text.as_str()), wanted: true };
        prop_assert_eq!(parse(&typed(&text)).unwrap().terms, [term]);
        let key = format!("path={}", typed(&text));
        let test = Test::Is(Pattern::exact(text.as_str()));
        prop_assert_eq!(parse(&key).unwrap().terms, [Term::Field { key: "path".into(), test, wanted: true }]);
    }

    #[test]
    fn nothing_that_is_typed_panics(text in any_text()) {
        if let Ok(query) = parse(&text) {
            let _ = query.in_language(Language::LogQl);
            let _ = query.in_language(Language::Lucene);
        }
    }

    /// Read back by Lucene's rules: within quotes a backslash takes the next character as it is.
    #[test]
    fn a_value_in_quotes_is_read_back(text in any_text()) {
        let quoted = lucene::literal(&text);
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        let mut chars = inner.chars();
        let mut read = String::new();
        while let Some(c) = chars.next() {
            prop_assert_ne!(c, '"', "it ends too early: {}", quoted);
            read.push(if c == '\\' { chars.next().unwrap() } else { c });
        }
        prop_assert_eq!(read, text);
    }

    /// What is written for Lucene is so simple that Rust reads it, too, once `\<` is what it is there.
    #[test]
    fn an_expression_for_lucene_fits_the_same(
        expression in r"[ab]|\(a\|b\*\)|a\+b\?|\[\^a-b\]x|\\d\{1,3\}|\(\?i\)ab|\.\*a|\\\.<|a\{2\}|\^ab\$|\(\)|[#@&~<>-]{1,3}|\\w/",
        more in r"[ab]{0,2}|\\\*|x\|y",
        values in prop::collection::vec(r"[abxyAB0-9./<>#@&~ *-]{0,6}", 20),
    ) {
        let expression = format!("{expression}{more}");
        let Ok(ours) = Regex::new(&format!("^(?s:{expression})$")) else { return Ok(()) };
        let Ok(theirs) = regular::of_lucene(&expression) else {
            // an end in the middle
            prop_assert!(expression.contains('$') || expression.contains('^'), "{expression}");
            return Ok(());
        };
        let read = theirs.replace("\\<", "<").replace("\\>", ">");
        let read = Regex::new(&format!("^(?s:{read})$")).unwrap_or_else(|error| panic!("{theirs}: {error}"));
        for value in values {
            prop_assert_eq!(read.is_match(&value), ours.is_match(&value), "{} as {}: {:?}", expression, theirs, value);
        }
    }
}
