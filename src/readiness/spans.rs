//! Spans of time in a person's words: `0.4s`, `3m12s`, `3m ago`.

use jiff::Timestamp;

/// How long something took: `0.4s`, `27s`, `3m12s`, `2h05m`, `3d4h`. Below ten seconds with a tenth.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    // 9.96 would be written "10.0s"
    if seconds < 9.95 { format!("{seconds:.1}s") } else { whole(seconds) }
}

/// The same in whole seconds, for lines that count up: `9s`, `27s`, `3m12s`.
pub fn whole(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; saturates")]
    let total = seconds.max(0.0).round() as u64;
    let (minutes, hours, days) = (total / 60, total / 3600, total / 86_400);
    match total {
        0..60 => format!("{total}s"),
        60..3600 => format!("{minutes}m{:02}s", total % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{}h", hours % 24),
    }
}

/// How long ago, in one unit: `12s ago`, `3m ago`, `2h ago`, `2d ago`. What lies in the future
/// (clocks differ) is `just now`.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    match now.as_second() - then.as_second() {
        ..=0 => "just now".to_owned(),
        seconds => format!("{} ago", rough(seconds)),
    }
}

/// A span in its largest unit: `40s`, `12m`, `5h`, `2d`.
pub fn rough(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{}s", seconds.max(0)),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_to_the_precision_that_matters() {
        let cases = [
            (-1.0, "0.0s"),
            (0.0, "0.0s"),
            (0.42, "0.4s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (27.4, "27s"),
            (59.7, "1m00s"),
            (192.0, "3m12s"),
            (3600.0, "1h00m"),
            (7500.0, "2h05m"),
            (273_600.0, "3d4h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(duration(seconds), expected, "{seconds}");
        }
        assert_eq!(whole(9.0), "9s");
    }

    #[test]
    fn ages_have_one_unit_and_survive_a_clock_that_is_ahead() {
        let now = Timestamp::from_second(1_000_000).expect("a time");
        for (seconds, expected) in [
            (-5, "just now"),
            (0, "just now"),
            (12, "12s ago"),
            (185, "3m ago"),
            (7300, "2h ago"),
            (180_000, "2d ago"),
        ] {
            let then = Timestamp::from_second(1_000_000 - seconds).expect("a time");
            assert_eq!(age(now, then), expected);
        }
    }
}
