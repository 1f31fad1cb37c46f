//! Functions that await their state: what they may rely on, and that they do what a synchronous function does.
#![expect(clippy::unwrap_used, reason = "test code")]

mod barriers;
mod concurrency;
mod errors;
mod job;
mod model;
mod two_inputs;

use millpond_api::function::{
    AsyncCollector, AsyncKeyedContext, AsyncKeyedProcessFunction, AsyncOnTimerContext, RuntimeContext,
};
use millpond_core::{Error, Result};
use millpond_runtime::testing::{HarnessBuilder, OneInputHarness, for_async_keyed_process_function};
use millpond_state::async_state::AsyncValueState;
use millpond_state::descriptor::ValueStateDescriptor;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

/// Every access waits until it is executed with others, also where the state is in memory.
const GATHER_ALL: &str = "$internal.execution.async-state.gather-all";

/// Awaits both, side by side.
async fn join<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut first, mut second) = (None, None);
    poll_fn(|cx| {
        if first.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(cx)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(cx)
        {
            second = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (first, second) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// What a record of the [`Counting`] function asks for.
#[derive(Clone, Debug, PartialEq)]
enum Do {
    /// Reads the count, then writes it, then emits it.
    Count,
    /// Registers an event-time timer that does the same.
    Timer(i64),
    /// Registers a processing-time timer that does the same.
    ClockTimer(i64),
    /// Polls an access once, and doesn't wait for it.
    WriteUnawaited(i64),
    /// Fails after its first access.
    Fail,
    /// Awaits what never comes.
    Hang,
    /// Uses a state that was never opened.
    UseUnopened,
}

/// Counts by key, and writes down when each record begins and ends.
#[derive(Default)]
struct Counting {
    count: AsyncValueState<i64>,
    unopened: AsyncValueState<i64>,
    log: Log,
}

type Log = Arc<Mutex<Vec<String>>>;
type In = (&'static str, Do);
type Out = (&'static str, i64);

impl Counting {
    async fn count(&self, key: &'static str, out: &AsyncCollector<Out>) -> Result<()> {
        let say = |what: &str| self.log.lock().unwrap().push(format!("{key} {what}"));
        say("begins");
        let n = self.count.async_value().await? + 1;
        say("has read");
        self.count.async_update(n).await?;
        say("ends");
        out.collect((key, n));
        Ok(())
    }
}

fn interned(key: &str) -> &'static str {
    ["a", "b", "c", "d", "e"].into_iter().find(|k| *k == key).unwrap()
}

impl AsyncKeyedProcessFunction for Counting {
    type Key = String;
    type In = In;
    type Out = Out;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.count = ctx.async_state(ValueStateDescriptor::new("count").default_value(0))?;
        Ok(())
    }
    async fn process_element(
        &self,
        (key, what): In,
        ctx: &AsyncKeyedContext<String>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        assert_eq!(ctx.current_key(), key);
        match what {
            Do::Count => self.count(key, out).await,
            Do::Timer(at) => {
                self.count.async_value().await?;
                ctx.timer_service().register_event_time_timer(at);
                Ok(())
            }
            Do::ClockTimer(at) => {
                self.count.async_value().await?;
                ctx.timer_service().register_processing_time_timer(at);
                Ok(())
            }
            Do::WriteUnawaited(n) => {
                let mut write = pin!(self.count.async_update(n));
                poll_fn(|cx| match write.as_mut().poll(cx) {
                    Poll::Ready(written) => Poll::Ready(written),
                    Poll::Pending => Poll::Ready(Ok(())),
                })
                .await
            }
            Do::Fail => {
                let n = self.count.async_value().await?;
                Err(Error::user("no luck").with("count", n))
            }
            Do::Hang => std::future::pending().await,
            Do::UseUnopened => self.unopened.async_clear().await,
        }
    }
    async fn on_timer(
        &self,
        timestamp: i64,
        ctx: &AsyncOnTimerContext<String>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        // The first of a row registers one that is due already and earlier than the next.
        if timestamp == 1 {
            ctx.timer_service().register_event_time_timer(2);
        }
        self.log
            .lock()
            .unwrap()
            .push(format!("{} at {timestamp}", ctx.current_key()));
        self.count(interned(ctx.current_key()), out).await
    }
}

type Harness = OneInputHarness<In, Out>;

fn builder() -> (HarnessBuilder<Harness>, Log) {
    let log = Log::default();
    let own = Arc::clone(&log);
    let make = move || Counting {
        log: Arc::clone(&own),
        ..Counting::default()
    };
    (
        for_async_keyed_process_function(make, |(key, _): &In| (*key).to_string()),
        log,
    )
}

/// With every access waiting for a batch.
fn gathering() -> (HarnessBuilder<Harness>, Log) {
    let (builder, log) = builder();
    (builder.option(GATHER_ALL, true), log)
}

fn taken(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}
