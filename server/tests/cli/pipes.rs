//! Standard output and terminals: closed pipes and colours.

use std::process::{Command, Stdio};

use crate::test_dir::TestDir;

/// Runs a command with a closed output pipe; returns its exit code and standard error.
pub(crate) fn run_with_closed_pipe(test_dir: &TestDir, args: &[&str]) -> (Option<i32>, String) {
    let mut command = test_dir.command(args);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let ran = child.wait_with_output().expect("it ends");
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn a_closed_output_pipe_is_no_error() {
    let test_dir = TestDir::new();
    for args in [
        &["man"][..],
        &["completions", "zsh"],
        &["config", "show"],
        &["config", "show", "--output", "json"],
        &["doctor"],
        &["doctor", "--output", "json"],
        &["--help"],
    ] {
        assert_eq!(run_with_closed_pipe(&test_dir, args), (Some(0), String::new()), "{args:?}");
    }
}

#[test]
fn completions_and_manual_pages_have_every_command() {
    let test_dir = TestDir::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = test_dir.run(&["completions", shell]);
        assert_eq!(script.code, 0);
        for word in ["quarantine", "doctor", "data-dir"] {
            assert!(script.stdout.contains(word), "{shell} does not know {word}");
        }
        assert_eq!(test_dir.json(&["completions", shell])["shell"], shell);
    }
    let page = test_dir.run(&["man"]);
    assert!(page.stdout.contains(".TH call-ledger 1"), "{}", page.stdout);
    assert!(test_dir.json(&["man"])["page"].is_string());
    let written = test_dir.json(&["man", "--dir", "pages"]);
    let pages = written["pages"].as_array().expect("a list");
    assert!(pages.iter().any(|page| page == "call-ledger-quarantine-replay.1"), "{written}");
    for page in pages {
        assert!(test_dir.dir().join("pages").join(page.as_str().expect("a name")).exists());
    }
}

#[test]
fn a_terminal_without_colours_gets_none() {
    let test_dir = TestDir::new();
    let program = env!("CARGO_BIN_EXE_call-ledger");
    let on_terminal = |no_color: bool| {
        let mut script = Command::new("script");
        script.args(["-qec", &format!("{program} --help"), "/dev/null"]);
        script.current_dir(test_dir.dir()).env("TERM", "xterm").env_remove("NO_COLOR");
        script.env_remove("CLICOLOR").env_remove("CI").stdin(Stdio::null());
        if no_color {
            script.env("NO_COLOR", "1");
        }
        String::from_utf8(script.output().expect("script(1)").stdout).expect("a text")
    };
    assert!(on_terminal(false).contains("\u{1b}["), "a terminal gets them");
    assert!(!on_terminal(true).contains("\u{1b}["));
    assert!(!test_dir.run(&["--help"]).stdout.contains("\u{1b}["), "a pipe never does");
}
