//! What a store promises, checked on SQLite and on Postgres by the same tests.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::zombie_processes, reason = "the private Postgres ends with the process that started it")]

#[path = "../postgres/mod.rs"]
mod postgres;

mod access;
mod archive;
mod asks;
mod events;
mod given;
mod histories;
mod keys;
mod leases;
mod studies;
mod tells;
mod trials;
mod upkeep;

/// Runs tests that are functions of a database on both databases. A test that is not listed is dead code, which the
/// compiler reports.
macro_rules! on_both {
    ($($module:ident { $($test:ident),+ $(,)? })+) => {
        mod on_sqlite {
            $(mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let database = crate::given::sqlite().await;
                    crate::$module::$test(&database).await;
                }
            )+})+
        }
        mod on_postgres {
            $(mod $module {$(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let database = crate::given::postgres().await;
                    crate::$module::$test(&database).await;
                }
            )+})+
        }
    };
}

on_both! {
    studies {
        creating_the_same_again_returns_the_same,
        another_definition_of_a_name_is_refused,
        creators_at_the_same_time_make_one_study,
        a_study_is_read_as_it_was_created,
        lists_are_paged_in_the_order_of_creation,
        lists_are_filtered,
        settings_change_and_the_definition_stays,
        deleting_removes_all_that_belongs_to_it,
        migrating_again_changes_nothing,
    }
    asks {
        new_trials_are_stored_as_they_are_returned,
        an_outdated_plan_changes_nothing,
        a_point_is_handed_out_once,
        budgets_of_trials_and_cost_are_kept,
        queued_trials_are_handed_out,
        open_trials_are_given_again_to_their_worker,
        asks_of_one_plan_are_answered_in_their_order,
        askers_at_the_same_time_share_no_number_and_no_point,
    }
    tells {
        a_tell_ends_a_trial,
        telling_the_same_again_changes_nothing,
        something_else_is_refused_and_an_amendment_replaces,
        an_amendment_replaces_the_cost,
        only_the_current_lease_token_counts,
        tellers_at_the_same_time_are_all_heard,
    }
    trials {
        attached_trials_are_stored_with_their_outcome,
        attached_points_become_replicates,
        many_are_attached_at_once,
        lists_are_paged_by_number_and_state,
        changes_are_those_after_a_revision,
        glances_hold_what_charts_need,
        trials_are_picked_in_the_order_asked_for,
        notes_tags_and_metadata_change,
        unknown_studies_and_trials_are_named,
    }
    leases {
        a_lease_that_ended_expires_its_trial,
        a_heartbeat_extends_a_lease,
        many_leases_end_at_once,
        a_heartbeat_revives_an_expired_trial,
        a_point_that_was_handed_out_again_stays_with_its_new_holder,
        a_late_tell_counts_unless_the_retry_was_told_first,
        an_abandoned_point_is_retried_once,
    }
    keys {
        the_answer_is_kept_with_what_was_done,
        a_key_that_was_used_undoes_the_rest,
        refusals_are_kept_and_the_first_answer_stays,
    }
    events {
        every_change_is_an_event_in_order,
        a_page_starts_after_the_place_asked_for,
    }
    access {
        projects_are_made_changed_and_deleted,
        quotas_are_kept_by_creators_at_the_same_time,
        quotas_of_trials_and_networks_are_kept,
        tokens_are_found_by_their_hash_until_they_end,
        tokens_are_listed_by_project,
        a_person_is_one_however_often_they_sign_in,
        changes_are_noted_in_the_name_of_who_makes_them,
    }
    archive {
        a_study_comes_back_as_it_was,
        what_is_cut_or_there_already_changes_nothing,
    }
    upkeep {
        old_events_answers_and_fits_are_pruned,
        a_fit_is_kept_for_numerics_like_those_that_made_it,
        a_newer_schema_is_left_alone,
        two_servers_work_on_one_database,
        what_cannot_be_read_is_said,
        servers_tell_each_other_of_changes,
    }
}
