//! Locks on tables, read from the statements of a migration. An estimate: PostgreSQL decides, and
//! statements composed in a `do` block are not read.

use std::collections::{BTreeMap, BTreeSet};

/// A lock on a table that other sessions may use at that time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableLock {
    /// Name with the schema, as written in the statement.
    pub table: String,
    /// The strongest mode that a statement of the migration takes, as PostgreSQL names it.
    pub mode: &'static str,
}

/// Lock modes that statements of migrations take, weakest first.
const MODES: [&str; 4] = ["row exclusive", "share", "share row exclusive", "access exclusive"];

/// Tables that were created by the migrations read so far. No other session uses them.
#[derive(Debug, Default)]
pub(super) struct Created(BTreeSet<String>);

/// The locks of one migration.
pub(super) struct Found {
    pub(super) locks: Vec<TableLock>,
    pub(super) is_dynamic: bool,
}

impl Created {
    /// Reads the statements of the next migration.
    pub(super) fn locks_of(&mut self, sql: &str) -> Found {
        let mut strongest: BTreeMap<String, usize> = BTreeMap::new();
        let mut is_dynamic = false;
        for statement in statements(sql) {
            let words: Vec<&str> = statement.iter().map(String::as_str).collect();
            match words[..] {
                ["do", ..] => is_dynamic = true,
                ["create", "table", "if", "not", "exists", table, ..]
                | ["create", "table", table, ..] => {
                    self.0.insert(table.to_owned());
                }
                _ => {}
            }
            let Some((table, mode)) = lock_of(&words) else { continue };
            if !self.0.contains(table) {
                let held = strongest.entry(table.to_owned()).or_default();
                *held = mode.max(*held);
            }
        }
        let locks =
            strongest.into_iter().map(|(table, mode)| TableLock { table, mode: MODES[mode] });
        Found { locks: locks.collect(), is_dynamic }
    }
}

/// The table that a statement locks, and the index of the mode.
fn lock_of<'w>(words: &[&'w str]) -> Option<(&'w str, usize)> {
    let on =
        || words.iter().position(|word| *word == "on").and_then(|at| words.get(at + 1)).copied();
    let name = |at: usize| {
        let rest = words.get(at..)?;
        rest.iter().find(|word| !["if", "exists", "only"].contains(word)).copied()
    };
    match words[..] {
        ["alter" | "drop" | "truncate", "table", ..] => Some((name(2)?, 3)),
        ["truncate", ..] => Some((name(1)?, 3)),
        ["create" | "alter" | "drop", "policy", ..] | ["drop", "trigger", ..] => Some((on()?, 3)),
        ["create", "trigger", ..] | ["create", "constraint", "trigger", ..] => Some((on()?, 2)),
        ["create", "index", ..] | ["create", "unique", "index", ..] => Some((on()?, 1)),
        ["update", ..] => Some((name(1)?, 0)),
        ["insert" | "delete", "into" | "from", ..] => Some((name(2)?, 0)),
        _ => None,
    }
}

/// Splits SQL into statements of lower-case words, without comments. Text in quotes is one word;
/// the body of a function is left out.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), String::new());
    let mut rest = sql;
    while let Some(next) = rest.chars().next() {
        let end = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if next == '\'' {
            rest[1..].find('\'').map_or(rest.len(), |at| at + 2)
        } else if let Some(tag) = dollar_tag(rest) {
            rest[tag.len()..].find(tag).map_or(rest.len(), |at| at + 2 * tag.len())
        } else {
            next.len_utf8()
        };
        if end > next.len_utf8() || !is_part_of_word(next) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        } else {
            word.extend(next.to_lowercase());
        }
        if next == ';' && end == 1 && !words.is_empty() {
            all.push(std::mem::take(&mut words));
        }
        rest = &rest[end..];
    }
    words.extend((!word.is_empty()).then_some(word));
    all.extend((!words.is_empty()).then_some(words));
    all
}

fn is_part_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '"' | '%')
}

/// The delimiter of a dollar-quoted text at the start of `sql`, such as `$$` or `$body$`.
fn dollar_tag(sql: &str) -> Option<&str> {
    let name = sql.strip_prefix('$')?;
    let end = name.find('$')?;
    let is_name = name[..end].chars().all(|char| char.is_alphabetic() || char == '_');
    is_name.then(|| &sql[..end + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(sql: &str) -> Vec<(String, &'static str)> {
        let found = Created::default().locks_of(sql);
        found.locks.into_iter().map(|lock| (lock.table, lock.mode)).collect()
    }

    #[test]
    fn a_table_is_named_with_the_strongest_lock_of_the_migration() {
        let sql = "update ledger.sources set name = 'a; drop table b';
                   ALTER TABLE only ledger.sources add column x int;
                   create unique index x on vault.handles (tenant_id);
                   create trigger t after update of a, b on ledger.tenants for each row execute f();";
        let wanted = [
            ("ledger.sources", "access exclusive"),
            ("ledger.tenants", "share row exclusive"),
            ("vault.handles", "share"),
        ];
        assert_eq!(locks(sql), wanted.map(|(table, mode)| (table.to_owned(), mode)));
    }

    #[test]
    fn a_table_of_its_own_a_comment_and_a_function_body_lock_nothing() {
        let sql = "create table ledger.new (id uuid); create index i on ledger.new (id);
                   -- alter table ledger.old; really
                   create function f() returns void language plpgsql as $body$ begin
                     delete from ledger.old; end $body$;";
        assert_eq!(locks(sql), []);
    }

    #[test]
    fn statements_composed_while_they_run_are_announced() {
        assert!(Created::default().locks_of("do $$ begin execute 'x'; end $$;").is_dynamic);
        assert!(!Created::default().locks_of("update a set b = 1;").is_dynamic);
    }
}
