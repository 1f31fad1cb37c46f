//! Restart strategies: each against what Flink says of it, and under random failures.

use super::*;
use proptest::prelude::*;

fn after(ms: u64) -> RestartDecision {
    RestartDecision::RestartAfter(Duration::from_millis(ms))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn strategy(options: &[(&str, &str)]) -> Result<RestartStrategy> {
    let mut config = Configuration::new();
    for (key, value) in options {
        config.set(format!("restart-strategy.{key}"), value);
    }
    RestartStrategy::from_configuration(&config, true, 7)
}

fn delay(decision: RestartDecision) -> Option<Duration> {
    match decision {
        RestartDecision::RestartAfter(delay) => Some(delay),
        RestartDecision::GiveUp(_) => None,
    }
}

#[test]
fn fixed_delay_gives_up_after_its_attempts() {
    let mut s = RestartStrategy::fixed_delay(2, ms(30));
    assert_eq!((s.failed(ms(0)), s.failed(ms(1))), (after(30), after(30)));
    assert!(matches!(s.failed(ms(2)), RestartDecision::GiveUp(why) if why.contains("2 restarts")));
}

#[test]
fn exponential_delay_grows_to_its_bound_and_begins_anew_after_a_quiet_time() {
    let mut s = strategy(&[
        ("type", "exponential-delay"),
        ("exponential-delay.jitter-factor", "0"),
        ("exponential-delay.max-backoff", "2 s"),
        ("exponential-delay.reset-backoff-threshold", "1 min"),
    ])
    .unwrap();
    assert_eq!(s.failed(ms(0)), after(1000));
    assert_eq!(
        s.failed(ms(400)),
        after(600),
        "the same failure, and the same restart"
    );
    assert_eq!(s.failed(ms(1001)), after(1500));
    assert_eq!(s.failed(ms(2502)), after(2000));
    assert_eq!(s.failed(ms(4503)), after(2000));
    assert_eq!(s.failed(ms(6503 + 59_999)), after(2000));
    assert_eq!(s.failed(ms(68_502 + 60_000)), after(1000));
}

#[test]
fn exponential_delay_gives_up_when_its_attempts_follow_one_another() {
    let mut s = strategy(&[
        ("type", "exponential-delay"),
        ("exponential-delay.attempts-before-reset-backoff", "2"),
        ("exponential-delay.reset-backoff-threshold", "1 min"),
    ])
    .unwrap();
    assert!(delay(s.failed(ms(0))).is_some());
    assert!(delay(s.failed(ms(10_000))).is_some());
    assert!(
        delay(s.failed(ms(100_000))).is_some(),
        "it ran for longer than a minute"
    );
    assert!(delay(s.failed(ms(110_000))).is_some());
    assert!(matches!(s.failed(ms(120_000)), RestartDecision::GiveUp(why) if why.contains("2 restarts")));
}

#[test]
fn failure_rate_gives_up_when_failures_come_too_close() {
    let mut s = strategy(&[
        ("type", "failure-rate"),
        ("failure-rate.max-failures-per-interval", "2"),
        ("failure-rate.failure-rate-interval", "1 min"),
        ("failure-rate.delay", "5 s"),
    ])
    .unwrap();
    assert_eq!(
        [s.failed(ms(0)), s.failed(ms(50_000))],
        [after(5000), after(5000)]
    );
    assert_eq!(s.failed(ms(60_001)), after(5000));
    assert!(matches!(s.failed(ms(60_002)), RestartDecision::GiveUp(why) if why.contains("more than 2")));
}

#[test]
fn without_a_name_checkpoints_decide_and_bad_values_are_refused_by_key() {
    assert!(delay(strategy(&[]).unwrap().failed(ms(0))).is_some());
    let never = RestartStrategy::from_configuration(&Configuration::new(), false, 0);
    assert!(delay(never.unwrap().failed(ms(0))).is_none());
    for (key, value) in [
        ("exponential-delay.jitter-factor", "1.5"),
        ("exponential-delay.backoff-multiplier", "1"),
        ("exponential-delay.initial-backoff", "2 min"),
        ("exponential-delay.max-backoff", "0 ms"),
        ("exponential-delay.reset-backoff-threshold", "0 ms"),
    ] {
        let e = strategy(&[(key, value)]).unwrap_err().to_string();
        assert!(e.contains("exponential-delay"), "{e}");
    }
    for (key, value) in [
        ("failure-rate.max-failures-per-interval", "0"),
        ("failure-rate.failure-rate-interval", "0 s"),
    ] {
        let e = strategy(&[("type", "failure-rate"), (key, value)]).unwrap_err();
        assert!(e.to_string().contains(key), "{e}");
    }
}

/// The times of failures: the time from one to the next, in milliseconds.
fn failures() -> impl Strategy<Value = Vec<Duration>> {
    proptest::collection::vec(0_u64..200_000, 1..60).prop_map(|steps| {
        let at = |now: &mut u64, step| {
            *now += step;
            Some(ms(*now))
        };
        steps.into_iter().scan(0, at).collect()
    })
}

proptest! {
    /// Goal: every delay stays in its bounds, follows the backoff of the restarts since the last quiet time up to the jitter,
    /// and attempts run out exactly then. Method: a plain count of restarts beside it.
    #[test]
    fn exponential_delays_follow_their_rule(times in failures(), jitter in 0_u32..=100, attempts in 1_u32..8) {
        let share = f64::from(jitter) / 100.0;
        let mut s = strategy(&[
            ("type", "exponential-delay"),
            ("exponential-delay.initial-backoff", "1 s"),
            ("exponential-delay.max-backoff", "20 s"),
            ("exponential-delay.backoff-multiplier", "2"),
            ("exponential-delay.reset-backoff-threshold", "30 s"),
            ("exponential-delay.jitter-factor", &share.to_string()),
            ("exponential-delay.attempts-before-reset-backoff", &attempts.to_string()),
        ]).unwrap();
        let (mut restarts, mut due) = (0_u32, None::<Duration>);
        for now in times {
            let decision = delay(s.failed(now));
            if let Some(at) = due.filter(|at| now <= *at) {
                prop_assert_eq!(decision, Some(at - now));
                continue;
            }
            if due.is_some_and(|at| now - at >= ms(30_000)) {
                restarts = 0;
            }
            if restarts == attempts {
                prop_assert_eq!(decision, None);
                continue;
            }
            let backoff = 2_f64.powf(f64::from(restarts));
            let given = decision.unwrap();
            let (low, high) = (backoff * (1.0 - share), backoff * (1.0 + share));
            prop_assert!(given >= ms(1000) && given <= ms(20_000), "{:?}", given);
            prop_assert!(given.as_secs_f64() >= low.clamp(1.0, 20.0) - 1e-3, "{:?}", given);
            prop_assert!(given.as_secs_f64() <= high.clamp(1.0, 20.0) + 1e-3, "{:?}", given);
            restarts += 1;
            due = Some(now + given);
        }
    }

    /// Goal: a failure is the last exactly when more than the allowed number lie in the interval that ends with it. Method: count
    /// them anew each time.
    #[test]
    fn failure_rates_are_counted_over_the_last_interval(times in failures(), max in 1_u32..5) {
        let mut s = strategy(&[
            ("type", "failure-rate"),
            ("failure-rate.max-failures-per-interval", &max.to_string()),
            ("failure-rate.failure-rate-interval", "5 min"),
        ]).unwrap();
        for (n, now) in times.iter().enumerate() {
            let within = times[..=n].iter().filter(|t| *now - **t <= ms(300_000)).count();
            let restarts = within <= max as usize;
            prop_assert_eq!(delay(s.failed(*now)).is_some(), restarts, "failure {} at {:?}", n, now);
            if !restarts {
                break;
            }
        }
    }
}
