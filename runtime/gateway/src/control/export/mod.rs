//! Usage rows for other programs: as CSV, as JSON lines, as FOCUS, under the names of OpenTelemetry. Written as they are read, whatever there is of them.

mod csv;
mod focus;
mod otel;
mod rows;
#[cfg(test)]
mod tests;

use std::str::FromStr;
use std::sync::Arc;

use tollgate_governance::{RollupFilter, UsageRow};
use tollgate_store::{Order, Visit, usage};

use super::error::ControlError;
use super::management::Manager;
use super::usage::{Filter, RowView, admits};
use super::{Control, now_ms};
use focus::Focus;

/// Bytes that are handed on at a time.
const CHUNK: usize = 64 << 10;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// RFC 4180 with a heading, for spreadsheets: no cell is a formula to them.
    Csv,
    /// A row in a line, as the API shows it.
    Jsonl,
    /// FOCUS 1.2 as CSV: what cost something or used tokens.
    Focus,
    /// A row in a line, its members named as in OpenTelemetry's conventions for generative AI.
    Otel,
}

impl FromStr for ExportFormat {
    type Err = ControlError;

    fn from_str(name: &str) -> Result<Self, ControlError> {
        match name {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::Jsonl),
            "focus" => Ok(Self::Focus),
            "otel" => Ok(Self::Otel),
            other => {
                let message = format!("is `csv`, `jsonl`, `focus` or `otel`, not `{other}`");
                Err(ControlError::invalid("format", message))
            }
        }
    }
}

/// An export that was asked for and can begin.
pub struct UsageExport {
    control: Arc<Control>,
    by: Manager,
    wanted: RollupFilter,
    format: ExportFormat,
}

impl Control {
    /// Reads what somebody's export asks for. Nothing is read from the store yet.
    ///
    /// # Errors
    /// The account is unknown or a value is wrong.
    pub fn usage_export(
        self: &Arc<Self>,
        by: &Manager,
        filter: &Filter,
        format: ExportFormat,
    ) -> Result<UsageExport, ControlError> {
        Ok(UsageExport {
            wanted: self.management(by).wanted(filter)?,
            control: Arc::clone(self),
            by: by.clone(),
            format,
        })
    }
}

impl UsageExport {
    /// Hands on the rows that fit, oldest first, piece by piece; ends early when `out` says that nobody wants more. Rows
    /// that are admitted after this moment are left out, so that there is an end. Reads the store: not for an async thread.
    ///
    /// # Errors
    /// The store fails: what was handed on is not the whole.
    pub fn write(&self, out: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<(), ControlError> {
        let control = &self.control;
        let management = control.management(&self.by);
        control.catch_up();
        let until = self.wanted.until_ms.unwrap_or(u64::MAX);
        let range = self.wanted.from_ms.unwrap_or(0)..until.min(now_ms().saturating_add(1));
        let mut writer = self.writer();
        let mut piece = Vec::with_capacity(CHUNK + 4096);
        writer.heading(&mut piece);
        let mut wanted = true;
        usage::scan(&*control.store, range, Order::OldestFirst, &mut |row| {
            if admits(&self.wanted, &row)
                && let Some(row) = management.row(row)
            {
                writer.row(&row, &mut piece);
            }
            if piece.len() >= CHUNK {
                let full = std::mem::replace(&mut piece, Vec::with_capacity(CHUNK + 4096));
                wanted = out(full);
            }
            match wanted {
                true => Visit::Continue,
                false => Visit::Stop,
            }
        })?;
        if wanted && !piece.is_empty() {
            out(piece);
        }
        Ok(())
    }

    fn writer(&self) -> Writer {
        let currency = self.control.config.governance.currency.clone();
        match self.format {
            ExportFormat::Csv => Writer::Csv { currency },
            ExportFormat::Jsonl => Writer::Jsonl,
            ExportFormat::Otel => Writer::Otel { currency },
            ExportFormat::Focus => {
                let state = self.control.state.lock();
                let management = self.control.management(&self.by);
                let top = match management.top() {
                    None => state.directory.root(),
                    Some(top) => state.directory.get(top),
                };
                let (id, name) = top.map_or_else(Default::default, |top| {
                    let name = top.alias.as_ref().unwrap_or(&top.name);
                    (top.id.to_string(), name.clone())
                });
                let zone = self.control.zone(&state);
                Writer::Focus(Box::new(Focus::new(id, name, currency, zone)))
            }
        }
    }
}

/// Writes rows of one format.
enum Writer {
    Csv { currency: String },
    Jsonl,
    Otel { currency: String },
    Focus(Box<Focus>),
}

impl Writer {
    fn heading(&self, out: &mut Vec<u8>) {
        match self {
            Self::Csv { .. } => csv::line(out, rows::COLUMNS),
            Self::Jsonl | Self::Otel { .. } => {}
            Self::Focus(_) => csv::line(out, focus::COLUMNS),
        }
    }

    fn row(&mut self, row: &UsageRow<'_>, out: &mut Vec<u8>) {
        match self {
            Self::Csv { currency } => csv::line(out, rows::cells(row, currency)),
            Self::Jsonl => {
                // A row is made of strings and numbers, and writing to memory does not fail.
                let _ = serde_json::to_writer(&mut *out, &RowView::new(row));
                out.push(b'\n');
            }
            Self::Otel { currency } => {
                let _ = serde_json::to_writer(&mut *out, &otel::attributes(row, currency));
                out.push(b'\n');
            }
            Self::Focus(focus) => {
                if let Some(cells) = focus.cells(row) {
                    csv::line(out, cells);
                }
            }
        }
    }
}
