//! Tables for the terminal: aligned columns, no lines.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    /// For numbers.
    Right,
}

/// A table: its columns, then its rows.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// The table as text, or `empty` where it has no rows.
    pub(super) fn render(&self, empty: &str) -> String {
        if self.rows.is_empty() {
            return format!("{empty}\n");
        }
        let header = self.columns.map(|(name, _)| name.to_owned());
        let lines = || std::iter::once(&header).chain(&self.rows);
        let widths: [usize; N] = std::array::from_fn(|column| {
            lines().map(|row| row[column].chars().count()).max().unwrap_or(0)
        });
        let mut text = String::new();
        for row in lines() {
            let cells: Vec<String> = (0..N)
                .map(|column| {
                    let (cell, width) = (&row[column], widths[column]);
                    match self.columns[column].1 {
                        Align::Left => format!("{cell:<width$}"),
                        Align::Right => format!("{cell:>width$}"),
                    }
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([("agent", Align::Left), ("fees", Align::Right)]);
        assert_eq!(table.render("no agents"), "no agents\n");
        table.row(["maker".into(), "0.10".into()]);
        table.row(["größer".into(), "12.00".into()]);
        assert_eq!(table.render(""), "agent    fees\nmaker    0.10\ngrößer  12.00\n");
    }
}
