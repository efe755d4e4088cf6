//! Plain tables for a terminal: columns padded by spaces, no frames.

/// Lays out rows below a heading. Columns named in `right` (by index) are aligned to the right.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>], right: &[usize]) -> String {
    let clean: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let mut widths: Vec<usize> = heading.iter().map(|h| h.chars().count()).collect();
    for row in &clean {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[&str]| {
        let mut out = String::new();
        for (i, (cell, width)) in cells.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let gap = if i == 0 { "" } else { "  " };
            out.push_str(gap);
            if right.contains(&i) {
                out.push_str(&pad);
                out.push_str(cell);
            } else {
                out.push_str(cell);
                out.push_str(&pad);
            }
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    };
    let mut out = line(heading);
    for row in &clean {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        out.push_str(&line(&cells));
    }
    out
}

/// What there is to know of one thing, a line each: its name and its value. What has no value has no line.
pub(crate) fn facts<const N: usize>(facts: [(&str, String); N]) -> String {
    let lines: Vec<_> = facts
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    table(&["", ""], &lines, &[]).trim_start().to_owned()
}

/// One line, no control characters: names come from people, and a terminal obeys what it is sent.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let rows = vec![
            vec!["a".to_owned(), "1".to_owned(), String::new()],
            vec!["bcdé".to_owned(), "10".to_owned(), "x".to_owned()],
        ];
        assert_eq!(
            table(&["NAME", "N", "WHY"], &rows, &[1]),
            "NAME   N  WHY\na      1\nbcdé  10  x\n"
        );
    }

    #[test]
    fn facts_without_a_value_are_left_out() {
        let known = [
            ("id", "7".to_owned()),
            ("label", String::new()),
            ("state", "active".to_owned()),
        ];
        assert_eq!(facts(known), "id     7\nstate  active\n");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        assert!(!table(&["NAME"], &[vec!["a\u{1b}[2Jb\n".to_owned()]], &[]).contains('\u{1b}'));
    }
}
