//! The reference pages are generated from the program, and every command in the documentation is
//! valid. `UPDATE_DOCS=1` writes the generated pages.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use clap::error::ErrorKind;
use serde_json::Value;
use server::config::{Config, Setting};

/// Returns the root directory of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the text of a file of the repository.
pub(crate) fn page(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_is_fresh(path: &str, made: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(path), made).expect("the page is written");
    }
    assert!(page(path) == made, "{path} is stale: run the tests with UPDATE_DOCS=1 and look at it");
}

/// Removes from a definition what depends on the environment or repeats on every page.
fn tidy(command: Command, is_root: bool) -> Command {
    command
        .term_width(100)
        .mut_args(|arg| {
            let is_repeated = arg.is_global_set() && !is_root;
            arg.hide_env_values(true).hide(is_repeated)
        })
        .mut_subcommands(|command| tidy(command, is_root))
}

fn write_command(out: &mut String, command: &mut Command, path: &str) {
    let help = command.clone().bin_name(path).render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(out, "\n## `{path}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()).expect("a text");
    for command in command.get_subcommands_mut() {
        if command.get_name() != "help" {
            let path = format!("{path} {}", command.get_name());
            write_command(out, command, &path);
        }
    }
}

#[test]
fn the_reference_of_commands_matches_the_program() {
    let mut made = String::from(
        "# Commands\n\nMade from the program by its tests; do not edit. Every command takes the \
         options that the first one lists.\n",
    );
    let mut whole = tidy(server::cli::command(), true);
    let help = whole.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    write!(made, "\n## `call-ledger`\n\n```text\n{}\n```\n", help.join("\n").trim_end())
        .expect("a text");
    let mut parts = tidy(server::cli::command(), false);
    parts.build();
    for command in parts.get_subcommands_mut() {
        if command.get_name() != "help" {
            let path = format!("call-ledger {}", command.get_name());
            write_command(&mut made, command, &path);
        }
    }
    assert_is_fresh("docs/reference/cli.md", &made);
}

#[test]
fn the_reference_of_settings_matches_the_program() {
    let defaults = serde_json::to_value(Config::default()).expect("plain data");
    let mut made = String::from(
        "# Settings\n\nMade from the program by its tests; do not edit.\n\n\
         A flag beats the environment, that beats the config file, that beats the default. The \
         file is `call-ledger.toml` in the working directory, or what `--config` \
         (`CALL_LEDGER_CONFIG`) names; a key in it that is not listed here is refused. \
         `call-ledger config show --origin` says what is in force and why, `config check` names \
         environment variables that only look like these.\n\n\
         | In the file | Environment | Flag | Default | |\n|---|---|---|---|---|\n",
    );
    for setting in Setting::ALL {
        let default = match &defaults[setting.name] {
            Value::Null => "–".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let flag = setting.flag.map_or("–".to_owned(), |flag| format!("`{flag}`"));
        let (name, env, about) = (setting.name, setting.env, setting.about);
        writeln!(made, "| `{name}` | `{env}` | {flag} | {default} | {about} |").expect("a text");
    }
    made.push_str(
        "\n`CALL_LEDGER_SOURCE_SECRET` gives `source create` a secret without showing it in the \
         list of processes. `RUST_LOG` chooses what is logged, `NO_COLOR` turns colours off, and \
         `NOTIFY_SOCKET` is systemd's.\n",
    );
    assert_is_fresh("docs/reference/configuration.md", &made);
}

#[test]
fn every_setting_has_its_documented_variable_and_flag() {
    let mut whole = server::cli::command();
    whole.build();
    let serve = whole.find_subcommand("serve").expect("it is there");
    for setting in Setting::ALL {
        let arg = serve.get_arguments().find(|arg| arg.get_id() == setting.name);
        let flag = arg.and_then(|arg| arg.get_long()).map(|long| format!("--{long}"));
        assert_eq!(flag.as_deref(), setting.flag, "{}", setting.name);
        if let Some(arg) = arg {
            let env = arg.get_env().and_then(|env| env.to_str());
            assert_eq!(env, Some(setting.env), "{}", setting.name);
        }
    }
}

/// Returns every page with commands.
fn handbook() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    for dir in ["docs/operations", "docs/operations/alerts"] {
        let entries = fs::read_dir(root().join(dir)).expect("a directory").flatten();
        pages.extend(entries.map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    pages
}

/// Splits a command line into words: quotes as in a shell, up to a comment, pipe or redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#' | '|' | '>' | ';' | '&') => break,
            (None, c) if c.is_whitespace() => words.extend(take(&mut word)),
            (Some(_) | None, c) => word.push(c),
        }
    }
    words.extend(take(&mut word));
    words
}

fn take(word: &mut String) -> Option<String> {
    (!word.is_empty()).then(|| std::mem::take(word))
}

/// Returns the command lines of this program in a page: in code blocks, and between back-quotes.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            // After variables, or after a prefix that runs it as another user.
            let at = line.rmatch_indices("call-ledger ").map(|(at, _)| at).find(|at| {
                let before = line[..*at].trim_end();
                !before.contains('#') && (before.is_empty() || line[..*at].ends_with(' '))
            });
            found.extend(at.map(|at| line[at..].to_owned()));
        } else {
            let quoted = line.split('`').skip(1).step_by(2);
            found.extend(quoted.filter(|text| text.starts_with("call-ledger ")).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_command_in_the_documentation_is_valid() {
    let mut seen = 0;
    for page in handbook() {
        let text = fs::read_to_string(&page).expect("a page");
        for command in commands(&text) {
            let words = words(&command);
            let Err(error) = server::cli::command().try_get_matches_from(words) else {
                seen += 1;
                continue;
            };
            // An id may be a placeholder, and a group of commands may be mentioned alone.
            let is_fine = matches!(
                error.kind(),
                ErrorKind::ValueValidation
                    | ErrorKind::DisplayHelp
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::MissingRequiredArgument
            );
            assert!(is_fine, "{}: `{command}`: {error}", page.display());
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}

#[test]
fn every_link_in_the_documentation_has_a_target() {
    for page in handbook() {
        let text = fs::read_to_string(&page).expect("a page");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let target = page.parent().expect("a directory").join(file);
            assert!(target.exists(), "{}: {link}", page.display());
        }
    }
}
