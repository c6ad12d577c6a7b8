//! Values: what is refused and in which words, and hints that work when they are typed.

use super::*;
use support::plugin::fixture;
use support::process::Command;

/// `template BUNDLE ARGS`, without a cluster.
fn template(home: &Home, bundle: &str, args: &[&str]) -> Command {
    let bundle = match bundle {
        "stack" => bundle.to_owned(),
        fixed => fixture(&format!("bundles/{fixed}")),
    };
    support::plugin::obs(home.path(), ["template", &bundle]).args(args.iter().copied())
}

/// The hints of a failed run.
fn hints(output: &Output) -> Vec<String> {
    output.stderr.lines().filter_map(|line| line.trim().strip_prefix("hint: ").map(str::to_owned)).collect()
}

/// The words of a command line, as a shell reads them.
fn words(line: &str) -> Vec<String> {
    let script = format!("printf '%s\\n' {line}");
    let output = Command::new("/bin/sh").args(["-c", &script]).run().ok();
    output.stdout.lines().map(str::to_owned).collect()
}

/// The flags with their arguments that a hint names.
fn flags(hint: &str) -> Vec<[String; 2]> {
    let begins = hint.match_indices("--set").map(|(at, _)| at);
    begins.map(|at| words(&hint[at..]).try_into_pair()).collect()
}

trait Pair {
    fn try_into_pair(self) -> [String; 2];
}

impl Pair for Vec<String> {
    fn try_into_pair(self) -> [String; 2] {
        let mut words = self.into_iter();
        // the comma of "…, or as …" is the sentence's
        let mut word = || words.next().expect("a flag and its argument").trim_end_matches(',').to_owned();
        [word(), word()]
    }
}

#[test]
fn hints_about_values_work_when_they_are_typed() {
    let home = Home::new();
    home.write("quoted.yaml", "i: \"5\"\n");
    for (bundle, wrong, typed) in [
        ("num", ["--set", "i=0755"], &["--set i=755", "--set i=493"][..]),
        ("num", ["--set", "i=1e6"], &["--set i=1000000"]),
        ("num", ["--set", "f=.5"], &["--set-json f=0.5"]),
        ("num", ["--set", "f=2.50"], &["--set-json f=2.5"]),
        ("num", ["--set-string", "i=5"], &["--set i=5"]),
        ("num", ["--set-json", "i=\"5\""], &["--set i=5"]),
        ("num", ["--set", "s=+5"], &["--set-string s=+5"]),
        ("num", ["--set", "f=2,s=True"], &["--set-string s=True"]),
        ("num", ["--set-json", "s=5"], &["--set-string s=5"]),
        ("num", ["--set", "l="], &["--set l={}"]),
        ("num", ["--set", "l=x"], &["--set-json l=[\"x\"]"]),
        ("num", ["--set", "l=[it's]"], &["--set-json l=[\"it's\"]"]),
        ("num", ["--set", "m={}"], &["--set-json m={}"]),
        ("num", ["--set", "m="], &["--set-json m={}"]),
        ("num", ["--set", "i=null"], &["--set i=1"]),
        ("num", ["--set", "s=null"], &["--set s=x"]),
        ("stack", ["--set", "prometheus.retention.time=null"], &["--set prometheus.retention.time=15d"]),
        // none that would change the number, or help as little
        ("num", ["--set", "i=99999999999999999999"], &[]),
        ("num", ["--set", "i=1.5"], &[]),
        ("num", ["--set", "i=x"], &[]),
        // 5 as text is no size either
        ("stack", ["--set", "prometheus.retention.size=5"], &[]),
    ] {
        let refused = template(&home, bundle, &wrong).run().ends(2);
        let found: Vec<[String; 2]> = hints(&refused).iter().flat_map(|hint| flags(hint)).collect();
        let shown: Vec<String> = found.iter().map(|pair| pair.join(" ")).collect();
        assert_eq!(shown, typed, "{wrong:?}\n{refused}");
        for flag in &found {
            template(&home, bundle, &[&flag[0], &flag[1]]).run().ok();
        }
    }
}

#[test]
fn hints_about_how_flags_are_written_work_when_they_are_typed() {
    let home = Home::new();
    for (wrong, name, rendered) in [
        (["--set", "l=[a,b]"], "l", r#"l: "[\"a\",\"b\"]""#),
        (["--set", "s=1,2"], "s", "s: a,b"),
        (["--set", "s"], "s", "s: VALUE"),
    ] {
        let refused = template(&home, "num", &wrong).run().ends(2);
        let [flag, argument] = flags(&hints(&refused)[0]).remove(0);
        let output = template(&home, "num", &[&flag, &argument.replace("NAME", name)]).run().ok();
        assert!(output.stdout.contains(rendered), "{rendered} is missing\n{output}");
    }
}

#[test]
fn an_empty_list_is_an_empty_list() {
    let home = Home::new();
    for typed in ["l={}", "l=[]"] {
        let output = template(&home, "num", &["--set", typed]).run().ok();
        assert!(output.stdout.contains("l: \"[]\""), "{typed}\n{output}");
    }
}

#[test]
fn a_value_that_is_needed_and_deleted_is_named() {
    let home = Home::new();
    let shown = |output: Output| transcript(&output, &[]);
    assert_snapshot!(shown(template(&home, "stack", &["--set", "prometheus.retention.time=null"]).run()), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the bundle needs what was deleted: prometheus.retention.time (--set prometheus.retention.time=null)
      stack/prometheus/templates/config.yaml:25: `values.retention.time` is undefined
      hint: leave prometheus.retention.time out to have the bundle's own: --set prometheus.retention.time=15d
    ");
    home.write("v.yaml", "i:\ns:\n");
    assert_snapshot!(shown(template(&home, "num", &["-f", "v.yaml"]).run()), @"
    exit code: 2
    --- stdout
    --- stderr
    error: the bundle needs what was deleted: i (v.yaml:1), s (v.yaml:2)
      num/templates/cm.yaml:9: `values.s` is undefined
      hint: leave i out to have the bundle's own: --set i=1
      hint: leave s out to have the bundle's own: --set s=x
    ");
}

#[test]
fn keys_are_shown_as_they_were_typed() {
    let home = Home::new();
    home.write("v.yaml", "y: 1\nn: {x: 1}\n0x10: 2\n");
    assert_snapshot!(transcript(&template(&home, "num", &["-f", "v.yaml"]).run(), &[]), @"
    exit code: 2
    --- stdout
    --- stderr
    error: values are not valid for bundle num 1.0.0
      0x10: unknown key     v.yaml:3
      n: unknown key        v.yaml:2
      y: unknown key        v.yaml:1
    ");
    home.write("v.yaml", "y: 1\non: 2\n");
    assert_snapshot!(transcript(&template(&home, "num", &["-f", "v.yaml"]).run(), &[]), @"
    exit code: 2
    --- stdout
    --- stderr
    error: v.yaml:2: key on is already set on line 1 as y
    ");
}

#[test]
fn a_values_file_may_end_in_a_separator() {
    let home = Home::new();
    home.write("v.yaml", "---\ns: text\n---\n");
    let output = template(&home, "num", &["-f", "v.yaml"]).run().ok();
    assert!(output.stdout.contains("s: text"), "{output}");
    home.write("v.yaml", "s: text\n---\ns: other\n");
    assert_snapshot!(transcript(&template(&home, "num", &["-f", "v.yaml"]).run(), &[]), @"
    exit code: 2
    --- stdout
    --- stderr
    error: v.yaml:2: a second document begins here, expected only one
    ");
}

#[test]
fn a_mask_is_no_value() {
    let home = Home::new();
    home.write("v.yaml", "text: a\npassword: '********'\n");
    home.write("mask.txt", "********\n");
    assert_snapshot!(transcript(&template(&home, "sec", &["-f", "v.yaml"]).run(), &[]), @"
    exit code: 2
    --- stdout
    --- stderr
    error: password holds ********, which stands for a secret that was not printed
      password     v.yaml:2
      hint: kubectl obs get values --show-secrets prints values that can be used again
      hint: or leave the key out: an upgrade keeps what the release has
    ");
    for flag in [
        ["--set", "password=********"],
        ["--set-string", "password=********"],
        ["--set-literal", "password=********"],
        ["--set-json", "password=\"********\""],
        ["--set-json", "{\"password\": \"********\"}"],
        ["--set-file", "password=mask.txt"],
    ] {
        template(&home, "sec", &flag)
            .run()
            .ends(2)
            .says("password holds ********, which stands for a secret");
    }
    template(&home, "sec", &["-f", "v.yaml", "--set", "password=x"]).run().ok();
}
