//! How far a savepoint is, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use millpond_rest::client::Waiting;
use std::io::{self, IsTerminal};

/// Until the savepoint has begun nobody knows how many tasks take part.
const WAITING: &str = "{spinner} {msg} {elapsed}";
const UNDER_WAY: &str = "{spinner} {msg} [{bar:30}] {pos} of {len} tasks, {elapsed}";

/// A bar that fills as tasks acknowledge, on standard error, and goes when it is dropped. In a pipe nothing is shown.
pub(crate) struct SavepointBar(ProgressBar);

impl SavepointBar {
    /// A bar for `what`.
    pub(crate) fn new(what: String) -> Self {
        let target = if io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        SavepointBar::on(target, what)
    }

    fn on(target: ProgressDrawTarget, what: String) -> Self {
        let bar = ProgressBar::with_draw_target(None, target).with_message(what);
        set_style(&bar, WAITING);
        SavepointBar(bar)
    }

    /// Shows how far it is.
    pub(crate) fn show(&self, waiting: Waiting) {
        if let Some((acknowledged, tasks)) = waiting.tasks {
            if self.0.length() != Some(tasks) {
                self.0.set_length(tasks);
                set_style(&self.0, UNDER_WAY);
            }
            self.0.set_position(acknowledged);
        }
        self.0.tick();
    }
}

impl Drop for SavepointBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn set_style(bar: &ProgressBar, template: &str) {
    // The templates are ours, and the test below shows what they give.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, TermLike};
    use std::time::Duration;

    #[test]
    fn the_bar_fills_as_tasks_acknowledge_and_goes_at_the_end() {
        let terminal = InMemoryTerm::new(3, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = SavepointBar::on(target, "flights: savepoint".to_string());
        let waiting = |tasks| Waiting {
            elapsed: Duration::ZERO,
            tasks,
        };
        bar.show(waiting(None));
        let shown = terminal.contents();
        assert!(shown.contains("flights: savepoint"), "{shown}");
        assert!(!shown.contains("tasks"), "{shown}");
        bar.show(waiting(Some((2, 4))));
        terminal.flush().unwrap();
        let shown = terminal.contents();
        assert!(shown.contains("2 of 4 tasks"), "{shown}");
        assert!(shown.contains("[===============>              ]"), "{shown}");
        drop(bar);
        assert_eq!(terminal.contents(), "");
    }
}
