//! Mutations of a body for tests: any node deleted, duplicated, renamed, swapped with another, or
//! replaced by a value of another type.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::sample::Index;

use super::fixtures::messages;
use crate::json::Json;

/// Replacement values of every type, empty and non-empty, valid and invalid.
pub(super) const REPLACEMENTS: [&str; 14] = [
    "null",
    "true",
    "-1",
    "1e400",
    "99999999999999999999",
    "\"\"",
    "\"\\u0000\\ud800\"",
    "\"9999-99-99T99:99:99Z\"",
    "[]",
    "[null]",
    "[[{\"id\":1}]]",
    "{}",
    "{\"id\":{}}",
    "\"in-progress\"",
];

/// A change of one node, given by its number in document order (modulo the number of nodes).
#[derive(Debug, Clone)]
pub(super) enum Mutation {
    /// Deletes the node.
    Delete(Index),
    /// Duplicates the node.
    Duplicate(Index),
    /// Changes the key of the node; no change for an element of an array.
    Rename(Index, &'static str),
    /// Replaces the node by one of the [`REPLACEMENTS`].
    Retype(Index, usize),
    /// Swaps two nodes.
    Swap(Index, Index),
    /// Replaces the node by a node of another captured body.
    Splice(Index, Index, Index),
}

/// Generates a few mutations that leave every value under its original key, or under an unknown
/// one.
pub(super) fn in_place() -> impl Strategy<Value = Vec<Mutation>> {
    let mutation = prop_oneof![
        3 => any::<Index>().prop_map(Mutation::Delete),
        2 => any::<Index>().prop_map(Mutation::Duplicate),
        1 => any::<Index>().prop_map(|at| Mutation::Rename(at, "unheard-of")),
        4 => (any::<Index>(), 0..REPLACEMENTS.len())
            .prop_map(|(at, with)| Mutation::Retype(at, with)),
    ];
    prop::collection::vec(mutation, 1..6)
}

/// Generates a few mutations of any kind.
pub(super) fn anywhere() -> impl Strategy<Value = Vec<Mutation>> {
    const NAMES: [&str; 14] = [
        "id",
        "type",
        "call",
        "message",
        "messages",
        "customer",
        "toolCalls",
        "function",
        "transcript",
        "cost",
        "costs",
        "artifact",
        "secret",
        "endedReason",
    ];
    let mutation = prop_oneof![
        2 => any::<Index>().prop_map(Mutation::Delete),
        2 => any::<Index>().prop_map(Mutation::Duplicate),
        2 => (any::<Index>(), prop::sample::select(NAMES.to_vec()))
            .prop_map(|(at, name)| Mutation::Rename(at, name)),
        3 => (any::<Index>(), 0..REPLACEMENTS.len())
            .prop_map(|(at, with)| Mutation::Retype(at, with)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(one, two)| Mutation::Swap(one, two)),
        2 => (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, body, from)| Mutation::Splice(at, body, from)),
    ];
    prop::collection::vec(mutation, 1..6)
}

/// Generates a captured body that is a message.
pub(super) fn captured() -> impl Strategy<Value = String> {
    let bodies: Vec<String> = messages().into_iter().map(|(_, body)| body).collect();
    // A body of 60 KB in every tenth case would take most of the time.
    let (short, long): (Vec<_>, Vec<_>) = bodies.into_iter().partition(|body| body.len() < 30_000);
    prop_oneof![60 => prop::sample::select(short), 1 => prop::sample::select(long)]
}

/// Returns the tree after the mutations.
pub(super) fn mutated<'a>(mut tree: Json<'a>, mutations: &[Mutation]) -> Json<'a> {
    for mutation in mutations {
        mutate(&mut tree, mutation);
    }
    tree
}

fn mutate(tree: &mut Json<'_>, mutation: &Mutation) {
    let below = descendants(tree);
    if below == 0 {
        return;
    }
    match mutation {
        Mutation::Delete(at) => at_parent(tree, at.index(below), |parent, child| match parent {
            Json::Array(items) => drop(items.remove(child)),
            Json::Object(fields) => drop(fields.remove(child)),
            _ => {}
        }),
        Mutation::Duplicate(at) => at_parent(tree, at.index(below), |parent, child| match parent {
            Json::Array(items) => items.push(items[child].clone()),
            Json::Object(fields) => fields.push(fields[child].clone()),
            _ => {}
        }),
        Mutation::Rename(at, name) => at_parent(tree, at.index(below), |parent, child| {
            if let Json::Object(fields) = parent {
                fields[child].0 = Cow::Borrowed(name);
            }
        }),
        Mutation::Retype(at, with) => {
            put(tree, at.index(below), replacement(*with));
        }
        Mutation::Swap(one, two) => {
            let (one, two) = (one.index(below), two.index(below));
            let (low, high) = (one.min(two), one.max(two));
            let (first, second) = (node(tree, low), node(tree, high));
            // The later node first, because it may be inside the earlier one.
            put(tree, high, first);
            put(tree, low, second);
        }
        Mutation::Splice(at, body, from) => {
            let bodies = messages();
            let (_, other) = &bodies[body.index(bodies.len())];
            let other = Json::parse(other.as_bytes()).expect("JSON");
            let spliced = node(&other, from.index(descendants(&other)));
            put(tree, at.index(below), owned(&spliced));
        }
    }
}

/// Returns one of the [`REPLACEMENTS`], parsed.
pub(super) fn replacement(nth: usize) -> Json<'static> {
    Json::parse(REPLACEMENTS[nth].as_bytes()).expect("JSON")
}

/// Returns the number of nodes below a node.
pub(super) fn descendants(value: &Json<'_>) -> usize {
    children(value).map(|child| 1 + descendants(child)).sum()
}

fn children<'t, 'a>(value: &'t Json<'a>) -> Box<dyn Iterator<Item = &'t Json<'a>> + 't> {
    match value {
        Json::Array(items) => Box::new(items.iter()),
        Json::Object(fields) => Box::new(fields.iter().map(|(_, value)| value)),
        _ => Box::new(std::iter::empty()),
    }
}

/// Calls `edit` with the parent of the `nth` node in document order, and the index of the child.
pub(super) fn at_parent<'a>(
    tree: &mut Json<'a>,
    mut nth: usize,
    mut edit: impl FnMut(&mut Json<'a>, usize),
) {
    walk(tree, &mut nth, &mut edit);
}

fn walk<'a>(
    parent: &mut Json<'a>,
    nth: &mut usize,
    edit: &mut impl FnMut(&mut Json<'a>, usize),
) -> bool {
    for child in 0..children(parent).count() {
        if *nth == 0 {
            edit(parent, child);
            return true;
        }
        *nth -= 1;
        let value = match parent {
            Json::Array(items) => &mut items[child],
            Json::Object(fields) => &mut fields[child].1,
            _ => unreachable!("it has children"),
        };
        if walk(value, nth, edit) {
            return true;
        }
    }
    false
}

/// Replaces the `nth` node. Returns the previous value.
pub(super) fn put<'a>(tree: &mut Json<'a>, nth: usize, with: Json<'a>) -> Option<Json<'a>> {
    let (mut with, mut was) = (Some(with), None);
    at_parent(tree, nth, |parent, child| {
        let place = match parent {
            Json::Array(items) => &mut items[child],
            Json::Object(fields) => &mut fields[child].1,
            _ => unreachable!("it has children"),
        };
        was = with.take().map(|with| std::mem::replace(place, with));
    });
    was
}

/// Returns the keys on the path to the `nth` node, without the indices of arrays.
pub(super) fn keys_to(value: &Json<'_>, nth: &mut usize) -> Option<Vec<String>> {
    children(value).enumerate().find_map(|(child, below)| {
        let mut path = if *nth == 0 {
            Vec::new()
        } else {
            *nth -= 1;
            keys_to(below, nth)?
        };
        if let Json::Object(fields) = value {
            path.insert(0, fields[child].0.to_string());
        }
        Some(path)
    })
}

fn node<'a>(tree: &Json<'a>, nth: usize) -> Json<'a> {
    fn find<'t, 'a>(value: &'t Json<'a>, nth: &mut usize) -> Option<&'t Json<'a>> {
        children(value).find_map(|child| {
            if *nth == 0 {
                return Some(child);
            }
            *nth -= 1;
            find(child, nth)
        })
    }
    let mut left = nth;
    find(tree, &mut left).expect("there are that many").clone()
}

/// Returns a copy that does not borrow from the text.
fn owned(value: &Json<'_>) -> Json<'static> {
    match value {
        Json::Null => Json::Null,
        Json::Bool(value) => Json::Bool(*value),
        // Leaked: a spliced part has few numbers.
        Json::Number(text) => Json::Number(String::leak((*text).to_owned())),
        Json::String(text) => Json::String(Cow::Owned(text.clone().into_owned())),
        Json::Array(items) => Json::Array(items.iter().map(owned).collect()),
        Json::Object(fields) => Json::Object(
            fields
                .iter()
                .map(|(key, value)| (Cow::Owned(key.clone().into_owned()), owned(value)))
                .collect(),
        ),
    }
}
