//! Several statements that write, in one message to the database: each message costs more than most of what is said.

use sqlx::QueryBuilder;

use super::super::{Connection, Database, begin_part, end_parts};

/// How many rows are written at once: databases bound the number of values.
const MOST_ROWS: usize = 1000;

/// How many statements are one message: a database plans the parts of one together.
const MOST_PARTS: usize = 64;

/// Statements that are done together, none of which may read what another one writes.
pub(super) struct Together {
    query: QueryBuilder<Database>,
    parts: usize,
    rows: usize,
    /// Whether the same text comes again, so that it is worth a place among the prepared statements.
    is_usual: bool,
}

impl Together {
    pub(super) fn new() -> Self {
        Self { query: QueryBuilder::default(), parts: 0, rows: 0, is_usual: true }
    }

    /// Adds a statement that writes so many rows; those before are done first where it would become too much. Returns
    /// what to write the statement to.
    pub(super) async fn part(
        &mut self,
        connection: &mut Connection,
        rows: usize,
    ) -> std::result::Result<&mut QueryBuilder<Database>, sqlx::Error> {
        if self.parts == MOST_PARTS || (self.parts > 0 && self.rows + rows > MOST_ROWS) {
            std::mem::replace(self, Self::new()).execute(connection).await?;
        }
        begin_part(&mut self.query, self.parts);
        self.parts += 1;
        self.rows += rows;
        // Statements of every length are not.
        self.is_usual &= rows <= 2 && self.parts <= 3;
        Ok(&mut self.query)
    }

    /// Does what was added since the last time.
    pub(super) async fn execute(
        mut self,
        connection: &mut Connection,
    ) -> std::result::Result<(), sqlx::Error> {
        if self.parts == 0 {
            return Ok(());
        }
        end_parts(&mut self.query);
        self.query.build().persistent(self.is_usual).execute(connection).await?;
        Ok(())
    }
}
