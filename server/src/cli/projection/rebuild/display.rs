//! Progress of a rebuild: a bar on a terminal, otherwise one line every ten seconds.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use projections::Progress;
use projections::versions::Version;

use super::whose;

/// Time between two lines without a terminal.
const LINE: Duration = Duration::from_secs(10);
/// Time over which the rate is averaged.
const WINDOW: Duration = Duration::from_secs(15);

/// The progress output on standard error.
pub(super) struct Display {
    bar: ProgressBar,
    is_terminal: bool,
    title: String,
    said: Option<Instant>,
    seen: VecDeque<(Instant, i64)>,
}

impl Display {
    pub(super) fn new(version: &Version) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} %  {msg}") {
            bar.set_style(style);
        }
        let title = format!("{} version {}", version.name, version.version);
        bar.set_prefix(title.clone());
        bar.enable_steady_tick(Duration::from_millis(500));
        let is_terminal = std::io::stderr().is_terminal();
        eprintln!("filling version {} of {}{}", version.version, version.name, whose(version.only));
        Self { bar, is_terminal, title, said: None, seen: VecDeque::new() }
    }

    pub(super) fn show(&mut self, now: &Progress) {
        self.seen.push_back((Instant::now(), now.events));
        while self.seen.len() > 2 && self.seen[0].0.elapsed() > WINDOW {
            self.seen.pop_front();
        }
        let told = self.tell(now);
        let all = now.events + now.lag_events;
        self.bar.set_length(all.max(1).cast_unsigned());
        self.bar.set_position(now.events.cast_unsigned());
        self.bar.set_message(told.clone());
        let percent = now.events * 100 / all.max(1);
        self.line(&format!("{percent} %, {told}"));
    }

    /// Shows a message instead of the progress.
    pub(super) fn say(&mut self, what: &'static str) {
        self.bar.set_message(what);
        self.line(what);
    }

    fn line(&mut self, what: &str) {
        if !self.is_terminal && self.said.is_none_or(|at| at.elapsed() >= LINE) {
            self.said = Some(Instant::now());
            eprintln!("{}: {what}", self.title);
        }
    }

    fn tell(&self, now: &Progress) -> String {
        if now.version.indexed_at.is_some() {
            return "waiting for every tenant to catch up".to_owned();
        }
        if now.lag_events <= projections::Batches::default().close && now.version.only.is_none() {
            return "making indexes".to_owned();
        }
        let rate = self.rate();
        let mut told = vec![format!("{} events/s", HumanCount(rate))];
        if let Some(left) = now.lag_events.cast_unsigned().checked_div(rate) {
            told.push(format!("{} left", HumanDuration(Duration::from_secs(left))));
        }
        if now.stalled > 0 {
            told.push(format!("{} tenants do not move", now.stalled));
        }
        told.join(", ")
    }

    /// Returns the recent rate in events per second.
    fn rate(&self) -> u64 {
        let (Some((from, before)), Some((to, after))) = (self.seen.front(), self.seen.back())
        else {
            return 0;
        };
        let millis = u64::try_from((*to - *from).as_millis()).unwrap_or(u64::MAX);
        let events = u64::try_from(after - before).unwrap_or(0);
        (events * 1_000).checked_div(millis).unwrap_or(0)
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
