//! `index.html`: the export for a reader without programs. It has no script, loads nothing, and all
//! values are escaped.

use std::fmt::Write;

use super::record::Record;

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
<title>Your data</title>\n<style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #bbb;padding:.3rem;text-align:left;\
vertical-align:top;overflow-wrap:anywhere}</style>\n</head>\n<body>\n";

/// Writes a text so that it is no markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn table<const N: usize>(
    out: &mut String,
    title: &str,
    columns: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let mut rows = rows.peekable();
    let _ = writeln!(out, "<h2>{title}</h2>");
    if rows.peek().is_none() {
        out.push_str("<p>None recorded.</p>\n");
        return;
    }
    out.push_str("<table><tr>");
    for column in columns {
        let _ = write!(out, "<th>{column}</th>");
    }
    out.push_str("</tr>\n");
    for row in rows {
        out.push_str("<tr>");
        for cell in &row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
}

/// Returns the page.
pub(super) fn page(record: &Record) -> String {
    let mut out = String::from(HEAD);
    let head = &record.head;
    let _ = writeln!(
        out,
        "<h1>Your data</h1>\n<p>Export {}, made at {}, from the {} events about you up to position {} of the log. \
         The files beside this page have everything: <code>record.json</code>, <code>events.ndjson</code>, \
         <code>calls.csv</code>, <code>appointments.csv</code> and the texts in <code>transcripts</code>.</p>",
        head.export_id,
        head.made_at.to_rfc3339(),
        record.counts.events,
        head.last_position,
    );
    if head.is_restricted {
        out.push_str("<p>The processing of these data is restricted.</p>\n");
    }
    let person = record.person.iter().map(|stated| [stated.field.to_owned(), stated.value.clone()]);
    table(&mut out, "Person", ["Field", "Value"], person);
    let calls = record.calls.iter().map(|call| {
        let cells = call.cells();
        [7, 4, 6, 9, 11].map(|nth| cells[nth].clone())
    });
    let columns = ["Started", "Direction", "Outcome", "Milliseconds", "Text"];
    table(&mut out, "Calls", columns, calls);
    let appointments = record.appointments.iter().map(|one| {
        let details: Vec<String> = one.details.iter().map(ToString::to_string).collect();
        [
            one.scheduled_at.to_rfc3339(),
            one.service_type.clone().unwrap_or_default(),
            one.status.to_owned(),
            one.role.to_owned(),
            details.join("; "),
        ]
    });
    let columns = ["Start", "Service", "Status", "Role", "Details"];
    table(&mut out, "Appointments", columns, appointments);
    let readers = record.read_by.iter().map(|reader| {
        [
            reader.key_id.to_string(),
            reader.action.clone(),
            reader.reads.to_string(),
            reader.first_at.to_rfc3339(),
            reader.last_at.to_rfc3339(),
        ]
    });
    let columns = ["API key", "Operation", "Reads", "First", "Last"];
    table(&mut out, "Read by", columns, readers);
    let sources = head.sources.iter().map(|source| [source.clone()]);
    table(&mut out, "Sources", ["Voice platform"], sources);
    let statements =
        record.statements.iter().map(|(name, text)| [(*name).to_owned(), text.clone()]);
    table(&mut out, "Notes on this export", ["About", "Statement"], statements);
    let _ = writeln!(
        out,
        "<p>Left out: {} sections that may be about another person, and {} calls in which you are one of several \
         persons with the same number or address.</p>\n</body>\n</html>",
        record.counts.withheld_sections, record.ambiguous_calls,
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_markup() {
        let mut out = String::new();
        let rows = [["<script>alert(1)</script>".to_owned()], ["\" onload='x' &amp;".to_owned()]];
        table(&mut out, "Person", ["Value"], rows.into_iter());
        assert!(!out.contains("<script") && !out.contains("onload='"), "{out}");
        assert!(out.contains("&lt;script&gt;") && out.contains("&amp;amp;"), "{out}");
    }
}
