//! Solves: begun, claimed by one server at a time, moved on, ended. Every move is an event of the study.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::super::super::{Result, Solve, SolveState, SolveStep, StoreError};
use super::super::{Connection, Row};
use super::audit::Change;
use super::locked::LockedStudy;
use super::rows::{self, count, signed};
use super::{Backend, keys};
use crate::store::Keyed;
use crate::study::{EventKind, StudyId, StudyState};

/// How long a server may be silent before another takes its solve up.
const OWNED_SECONDS: i64 = 10;

impl Backend {
    pub(super) async fn begin_solve(
        &self,
        id: StudyId,
        evaluations: u64,
        keyed: Option<&Keyed<'_, Solve>>,
    ) -> Result<Solve> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, id).await?;
        if let Some(known) = read(&mut transaction, id).await?
            && known.state == SolveState::Running
        {
            return Err(StoreError::AlreadySolving);
        }
        if study.ledger.record.state != StudyState::Active {
            return Err(StoreError::NotActive(study.ledger.record.state));
        }
        let solve = Solve {
            state: SolveState::Running,
            evaluations,
            done: 0,
            passes: 0,
            reason: None,
            started_at: study.ledger.now,
            updated_at: study.ledger.now,
        };
        sqlx::query("DELETE FROM solves WHERE study_id = $1").bind(id.0).execute(&mut *transaction).await?;
        sqlx::query(
            "INSERT INTO solves (study_id, state, evaluations, done, passes, started_at, updated_at) \
             VALUES ($1, $2, $3, 0, 0, $4, $4)",
        )
        .bind(id.0)
        .bind(solve.state.name())
        .bind(signed(evaluations))
        .bind(study.ledger.now)
        .execute(&mut *transaction)
        .await?;
        say(&mut study, &solve);
        let said = json!({ "evaluations": evaluations });
        self.note(&mut transaction, study.ledger.now, Change::of_study("solve", &study, said)).await?;
        study.save(&mut transaction, &[], &[]).await?;
        keys::keep(&mut transaction, keyed, &solve, study.ledger.now).await?;
        transaction.commit().await?;
        Ok(solve)
    }

    pub(super) async fn cancel(&self, id: StudyId) -> Result<Solve> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, id).await?;
        let mut solve = read(&mut transaction, id).await?.ok_or(StoreError::NoSolve(id))?;
        if solve.state == SolveState::Running {
            solve.state = SolveState::Cancelled;
            solve.updated_at = study.ledger.now;
            write(&mut transaction, id, &solve, None).await?;
            say(&mut study, &solve);
            let change = Change::of_study("cancel_solve", &study, json!({ "done": solve.done }));
            self.note(&mut transaction, study.ledger.now, change).await?;
            study.save(&mut transaction, &[], &[]).await?;
        }
        transaction.commit().await?;
        Ok(solve)
    }

    /// Takes up a running solve that no living server has.
    pub(super) async fn claim(&self, owner: Uuid) -> Result<Option<(StudyId, Solve)>> {
        let due: Vec<Row> = sqlx::query(concat!(
            "SELECT study_id FROM solves WHERE state = 'running' AND (owned_until IS NULL OR owned_until <= (SELECT ",
            clock!(),
            ")) ORDER BY study_id LIMIT 16"
        ))
        .fetch_all(&mut *self.reading().await?)
        .await?;
        for row in due {
            let id = StudyId(row.try_get("study_id")?);
            let mut transaction = self.begin().await?;
            let study = match self.lock(&mut transaction, id).await {
                Err(StoreError::NoStudy(_)) => continue,
                study => study?,
            };
            let held: Option<DateTime<Utc>> =
                sqlx::query_scalar("SELECT owned_until FROM solves WHERE study_id = $1")
                    .bind(id.0)
                    .fetch_optional(&mut *transaction)
                    .await?
                    .flatten();
            let Some(solve) = read(&mut transaction, id).await? else { continue };
            if solve.state != SolveState::Running || held.is_some_and(|until| until > study.ledger.now) {
                continue;
            }
            write(&mut transaction, id, &solve, Some((owner, study.ledger.now))).await?;
            transaction.commit().await?;
            return Ok(Some((id, solve)));
        }
        Ok(None)
    }

    /// Moves a solve on, if it is still this owner's; returns it as it is now.
    pub(super) async fn step(&self, id: StudyId, step: &SolveStep) -> Result<Solve> {
        let mut transaction = self.begin().await?;
        let mut study = self.lock(&mut transaction, id).await?;
        let owner: Option<Uuid> = sqlx::query_scalar("SELECT owner FROM solves WHERE study_id = $1")
            .bind(id.0)
            .fetch_optional(&mut *transaction)
            .await?
            .flatten();
        let mut solve = read(&mut transaction, id).await?.ok_or(StoreError::NoSolve(id))?;
        if owner != Some(step.owner) || solve.state != SolveState::Running {
            return Ok(Solve {
                state: if solve.state == SolveState::Running { SolveState::Failed } else { solve.state },
                ..solve
            });
        }
        let moved = (solve.done, solve.state) != (step.done, step.state);
        solve.done = step.done;
        solve.passes = step.passes;
        solve.state = step.state;
        solve.reason.clone_from(&step.reason);
        solve.updated_at = study.ledger.now;
        write(&mut transaction, id, &solve, Some((step.owner, study.ledger.now))).await?;
        if moved {
            if solve.state == SolveState::Completed && study.ledger.record.budget_left() == 0 {
                study.ledger.record.state = StudyState::Completed;
            }
            say(&mut study, &solve);
            study.save(&mut transaction, &[], &[]).await?;
        }
        transaction.commit().await?;
        Ok(solve)
    }

    pub(super) async fn find_solve(&self, id: StudyId) -> Result<Option<Solve>> {
        let mut connection = self.reading().await?;
        read(&mut connection, id).await
    }
}

fn say(study: &mut LockedStudy, solve: &Solve) {
    let data = json!({
        "state": study.ledger.record.state.name(),
        "solve": { "state": solve.state.name(), "done": solve.done, "evaluations": solve.evaluations, "passes": solve.passes },
    });
    study.ledger.append(EventKind::StudyChanged, None, data);
}

async fn read(connection: &mut Connection, id: StudyId) -> Result<Option<Solve>> {
    let row = sqlx::query(
        "SELECT state, evaluations, done, passes, reason, started_at, updated_at FROM solves WHERE study_id = $1",
    )
    .bind(id.0)
    .fetch_optional(connection)
    .await?;
    row.map(|row| {
        Ok(Solve {
            state: rows::named(&row, "state", SolveState::from_name)?,
            evaluations: count(&row, "evaluations")?,
            done: count(&row, "done")?,
            passes: count(&row, "passes")?,
            reason: row.try_get("reason")?,
            started_at: row.try_get("started_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    })
    .transpose()
}

async fn write(
    connection: &mut Connection,
    id: StudyId,
    solve: &Solve,
    owner: Option<(Uuid, DateTime<Utc>)>,
) -> Result<()> {
    let until = owner.and_then(|(_, now)| now.checked_add_signed(TimeDelta::try_seconds(OWNED_SECONDS)?));
    sqlx::query(
        "UPDATE solves SET state = $2, done = $3, passes = $4, reason = $5, owner = $6, owned_until = $7, \
         updated_at = $8 WHERE study_id = $1",
    )
    .bind(id.0)
    .bind(solve.state.name())
    .bind(signed(solve.done))
    .bind(signed(solve.passes))
    .bind(&solve.reason)
    .bind(owner.map(|(owner, _)| owner))
    .bind(until)
    .bind(solve.updated_at)
    .execute(connection)
    .await?;
    Ok(())
}
