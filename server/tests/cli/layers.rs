//! What the command line and the use cases must not depend on, read from their sources.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns the files that contain one of these words.
fn containing(roots: &[&str], words: &[&str]) -> Vec<PathBuf> {
    let server = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for root in roots {
        let root = server.join(root);
        if root.is_dir() { sources(&root, &mut files) } else { files.push(root) }
    }
    assert!(files.len() >= roots.len());
    let is_found = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a text");
        words.iter().any(|word| text.contains(word))
    };
    files.into_iter().filter(is_found).collect()
}

#[test]
fn the_command_line_imports_nothing_of_the_api() {
    let http =
        ["crate::api", "crate::http", "crate::ingest", "crate::problem", "crate::auth", "axum"];
    let found = containing(&["src/cli", "src/cli.rs"], &http);
    assert!(found.is_empty(), "{found:?}");
    assert!(!containing(&["src/api"], &http).is_empty(), "the words are those that are used");
}

#[test]
fn use_cases_have_no_http_and_no_statements() {
    let words = ["axum", "utoipa", "StatusCode", "sqlx::query", "http::Status"];
    let found = containing(&["app/src", "app/Cargo.toml"], &words);
    assert!(found.is_empty(), "{found:?}");
}
