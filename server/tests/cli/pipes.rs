//! Standard output and terminals: closed pipes and colours.

use std::process::{Command, Stdio};

use crate::world::World;

/// Runs a command with a closed output pipe; returns its exit code and standard error.
pub(crate) fn unread(world: &World, args: &[&str]) -> (Option<i32>, String) {
    let mut command = world.command(args);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let ran = child.wait_with_output().expect("it ends");
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn a_reader_that_left_is_no_error() {
    let world = World::new();
    for args in [
        &["man"][..],
        &["completions", "zsh"],
        &["config", "show"],
        &["config", "show", "--output", "json"],
        &["doctor"],
        &["doctor", "--output", "json"],
        &["--help"],
    ] {
        assert_eq!(unread(&world, args), (Some(0), String::new()), "{args:?}");
    }
}

#[test]
fn completions_and_pages_know_every_command() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = world.run(&["completions", shell]);
        assert_eq!(script.code, 0);
        for word in ["quarantine", "doctor", "data-dir"] {
            assert!(script.stdout.contains(word), "{shell} does not know {word}");
        }
        assert_eq!(world.json(&["completions", shell])["shell"], shell);
    }
    let page = world.run(&["man"]);
    assert!(page.stdout.contains(".TH call-ledger 1"), "{}", page.stdout);
    assert!(world.json(&["man"])["page"].is_string());
    let written = world.json(&["man", "--dir", "pages"]);
    let pages = written["pages"].as_array().expect("a list");
    assert!(pages.iter().any(|page| page == "call-ledger-quarantine-replay.1"), "{written}");
    for page in pages {
        assert!(world.dir().join("pages").join(page.as_str().expect("a name")).exists());
    }
}

#[test]
fn a_terminal_that_wants_no_colours_gets_none() {
    let world = World::new();
    let program = env!("CARGO_BIN_EXE_call-ledger");
    let on_terminal = |no_color: bool| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{program} --help"), "/dev/null"]);
        script.current_dir(world.dir()).env("TERM", "xterm").env_remove("NO_COLOR");
        script.env_remove("CLICOLOR").env_remove("CI").stdin(Stdio::null());
        if no_color {
            script.env("NO_COLOR", "1");
        }
        String::from_utf8(script.output().expect("script(1)").stdout).expect("a text")
    };
    assert!(on_terminal(false).contains("\u{1b}["), "a terminal gets them");
    assert!(!on_terminal(true).contains("\u{1b}["));
    assert!(!world.run(&["--help"]).stdout.contains("\u{1b}["), "a pipe never does");
}
