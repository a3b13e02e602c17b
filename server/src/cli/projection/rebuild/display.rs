//! Progress of a rebuild: a bar on a terminal, otherwise one line every ten seconds.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use projections::Progress;
use projections::versions::Version;

use super::tenant_suffix;

/// Time between two lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Time over which the rate is averaged.
const WINDOW: Duration = Duration::from_secs(15);

/// The progress output on standard error.
pub(super) struct ProgressDisplay {
    bar: ProgressBar,
    is_terminal: bool,
    title: String,
    last_line: Option<Instant>,
    samples: VecDeque<(Instant, i64)>,
}

impl ProgressDisplay {
    pub(super) fn new(version: &Version) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} %  {msg}") {
            bar.set_style(style);
        }
        let title = format!("{} version {}", version.name, version.version);
        bar.set_prefix(title.clone());
        bar.enable_steady_tick(Duration::from_millis(500));
        let is_terminal = std::io::stderr().is_terminal();
        eprintln!(
            "filling version {} of {}{}",
            version.version,
            version.name,
            tenant_suffix(version.only)
        );
        Self { bar, is_terminal, title, last_line: None, samples: VecDeque::new() }
    }

    pub(super) fn show(&mut self, now: &Progress) {
        self.samples.push_back((Instant::now(), now.events));
        while self.samples.len() > 2 && self.samples[0].0.elapsed() > WINDOW {
            self.samples.pop_front();
        }
        let text = self.describe(now);
        let all = now.events + now.lag_events;
        self.bar.set_length(all.max(1).cast_unsigned());
        self.bar.set_position(now.events.cast_unsigned());
        self.bar.set_message(text.clone());
        let percent = now.events * 100 / all.max(1);
        self.line(&format!("{percent} %, {text}"));
    }

    /// Shows a message instead of the progress.
    pub(super) fn message(&mut self, what: &'static str) {
        self.bar.set_message(what);
        self.line(what);
    }

    fn line(&mut self, what: &str) {
        if !self.is_terminal && self.last_line.is_none_or(|at| at.elapsed() >= LINE_INTERVAL) {
            self.last_line = Some(Instant::now());
            eprintln!("{}: {what}", self.title);
        }
    }

    fn describe(&self, now: &Progress) -> String {
        if now.version.indexed_at.is_some() {
            return "waiting for every tenant to catch up".to_owned();
        }
        if now.lag_events <= projections::Batches::default().close && now.version.only.is_none() {
            return "making indexes".to_owned();
        }
        let rate = self.rate();
        let mut text = vec![format!("{} events/s", HumanCount(rate))];
        if let Some(left) = now.lag_events.cast_unsigned().checked_div(rate) {
            text.push(format!("{} left", HumanDuration(Duration::from_secs(left))));
        }
        if now.stalled > 0 {
            text.push(format!("{} tenants do not move", now.stalled));
        }
        text.join(", ")
    }

    /// Returns the recent rate in events per second.
    fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, after))) = (self.samples.front(), self.samples.back())
        else {
            return 0;
        };
        let millis = u64::try_from((*to - *from).as_millis()).unwrap_or(u64::MAX);
        let events = u64::try_from(after - before).unwrap_or(0);
        (events * 1_000).checked_div(millis).unwrap_or(0)
    }
}

impl Drop for ProgressDisplay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
