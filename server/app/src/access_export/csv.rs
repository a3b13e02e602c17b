//! CSV by RFC 4180, safe for spreadsheets: a cell that a spreadsheet would take for a formula begins
//! with an apostrophe.

/// Appends a row.
pub(super) fn row<'c>(out: &mut String, cells: impl IntoIterator<Item = &'c str>) {
    for (nth, cell) in cells.into_iter().enumerate() {
        if nth > 0 {
            out.push(',');
        }
        push_cell(out, cell);
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, cell: &str) {
    // Blanks in front are ignored by spreadsheets.
    let first = cell.trim_start().chars().next();
    let is_formula = matches!(first, Some('=' | '+' | '-' | '@' | '|' | '%'))
        || cell.starts_with(['\t', '\r', '\n'])
        || matches!(first, Some('＝' | '＋' | '－' | '＠'));
    out.push('"');
    if is_formula {
        out.push('\'');
    }
    for c in cell.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\0' => {}
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_with_a_formula_and_quotes_are_doubled() {
        let mut out = String::new();
        row(&mut out, ["a\"b", "=1+1", " @x", "\t=2", "+15550100123", "", "x,y\nz"]);
        assert_eq!(
            out,
            "\"a\"\"b\",\"'=1+1\",\"' @x\",\"'\t=2\",\"'+15550100123\",\"\",\"x,y\nz\"\r\n"
        );
    }
}
