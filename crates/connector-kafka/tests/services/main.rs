//! Source and sink against a real broker, which `make test-services` starts.
//!
//! | module | what it shows |
//! |---|---|
//! | `source` | offsets, partitions, watermarks, restores, and what goes wrong |
//! | `sink` | what arrives, and when; transactions that are pending, left over, timed out |
//! | `security` | TLS and logins |
//! | `exactly_once` | a job from Kafka to Kafka that is killed again and again, with a broker that is, too |
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code"
)]

mod broker;
mod exactly_once;
mod security;
mod sink;
mod source;

use libtest_mimic::{Arguments, Trial};

/// One trial for each function, named after it.
macro_rules! trials {
    ($($module:ident: $($test:ident),+ $(,)?;)+) => {
        vec![$($(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),+),+]
    };
}

fn main() {
    if let Some(life) = exactly_once::Life::of_this_process() {
        return exactly_once::run(&life);
    }
    let mut arguments = Arguments::from_args();
    // Some tests restart the broker.
    arguments.test_threads = Some(1);
    let trials = trials![
        source:
            bounded_reads_everything_in_the_order_of_each_partition,
            starting_offsets_are_what_they_say,
            a_pattern_takes_whole_names,
            a_restore_at_another_parallelism_reads_each_record_once,
            offsets_are_committed_when_a_checkpoint_completes,
            new_partitions_are_found_at_run_time,
            watermarks_wait_for_the_slowest_partition_that_is_not_idle,
            an_open_transaction_does_not_hold_up_a_bounded_read,
            a_broker_that_goes_away_in_the_middle_is_waited_for,
            what_does_not_exist_is_named;
        sink:
            records_arrive_with_all_their_parts,
            keys_go_where_javas_clients_send_them,
            records_show_when_their_checkpoint_is_complete,
            a_pending_transaction_outlives_its_writer,
            transactions_left_open_are_aborted_at_any_parallelism,
            a_transaction_that_timed_out_is_told,
            what_kafka_refuses_is_named;
        security:
            exactly_once_works_through_every_kind_of_listener,
            who_is_not_let_in_or_not_trusted_is_named;
        exactly_once:
            a_job_that_is_killed_again_and_again_counts_each_record_once;
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
