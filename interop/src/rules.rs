//! Broadcast state beside a keyed value. The same as `Rules.java`.

use crate::job::Mode;
use crate::lines::Lines;
use millpond::prelude::*;
use serde_json::json;

/// How many rules are broadcast.
pub const COUNT: i64 = 5;

/// Writing, it keeps rules and what it saw; reading, it tells them.
pub struct Rules {
    mode: Mode,
    lines: Lines,
    rules: BroadcastState<String, i64>,
    seen: ValueState<i64>,
}

impl Rules {
    /// The function of the operator with uid `rules`.
    pub fn new(mode: Mode, lines: &Lines) -> Self {
        Rules {
            mode,
            lines: lines.clone(),
            rules: BroadcastState::default(),
            seen: ValueState::default(),
        }
    }
}

impl KeyedBroadcastProcessFunction for Rules {
    type Key = String;
    type In = i64;
    type Broadcast = i64;
    type Out = ();

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.rules = ctx.broadcast_state(MapStateDescriptor::new("rules"))?;
        self.seen = ctx.state(ValueStateDescriptor::new("seen"))?;
        if self.mode == Mode::Read {
            let subtask = ctx.subtask_index();
            self.rules.for_each(|entry, value| {
                self.lines.tell(
                    json!({"operator": "rules", "state": "broadcast", "subtask": subtask, "entry": entry, "value": value}),
                );
            })?;
        }
        Ok(())
    }

    fn process_element(
        &mut self,
        number: i64,
        ctx: &mut ReadOnlyContext<'_, String>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        match self.mode {
            Mode::Write => {
                self.seen.update(-number)?;
                self.lines.processed();
            }
            Mode::Read => {
                if let Some(value) = self.seen.get()? {
                    self.lines.tell(
                        json!({"operator": "rules", "key": ctx.current_key(), "state": "value", "value": value}),
                    );
                }
            }
        }
        Ok(())
    }

    fn process_broadcast_element(
        &mut self,
        number: i64,
        ctx: &mut BroadcastContext<'_, String>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        if self.mode == Mode::Write {
            self.rules
                .put(ctx.permit(), format!("rule-{number}"), number * 7)?;
            self.lines.processed();
        }
        Ok(())
    }
}
