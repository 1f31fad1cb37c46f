//! Starts tasks: all of the job's, or those of the regions that failed.

use super::deploy::DeploymentPlan;
use super::event::MasterEvent;
use super::failover::Phase;
use super::status::JobStatus;
use super::{Master, assign, in_flight};
use crate::task::{TaskCheckpointing, TaskEventSink};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::Result;
use std::collections::BTreeSet;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

impl Master {
    /// Starts `tasks`, from the snapshot if there is one.
    pub(super) fn deploy(&mut self, tasks: &BTreeSet<TaskId>) {
        self.phase = Phase::Starting;
        if let Err(error) = self.try_deploy(tasks) {
            self.failed(None, error);
        }
    }

    fn try_deploy(&mut self, tasks: &BTreeSet<TaskId>) -> Result<()> {
        if *tasks == self.regions.all() {
            self.set_status(JobStatus::Created);
        }
        let restored = match &self.snapshot {
            Some((s, _)) => Some(assign::assign(
                s.metadata(),
                &self.graph,
                self.settings.allow_non_restored,
            )?),
            None => None,
        };
        let in_flight = match &self.snapshot {
            Some((s, _)) => in_flight::assign(s.metadata(), &self.graph)?,
            None => in_flight::InFlight::default(),
        };
        let state_reader = match &self.snapshot {
            Some((s, _)) => s.location().reader(),
            // Nobody reads without a snapshot; any place will do.
            None => self.storage.reader(),
        };
        let recovered = self
            .snapshot
            .as_ref()
            .filter(|(_, own)| *own)
            .map(|(s, _)| s.checkpoint_id());
        let started = self.executions.start(DeploymentPlan {
            graph: &self.graph,
            host: &*self.host,
            tasks,
            channel_capacity: self.settings.channel_capacity,
            channel_overdraft: self.settings.channel_overdraft,
            restored,
            in_flight,
            unaligned: self.settings.coordinator.unaligned,
            state_reader,
            checkpointing: TaskCheckpointing {
                enabled: self.settings.checkpointing_enabled,
                mode: self.settings.coordinator.mode,
                overtaking: false,
                storage: Arc::clone(&self.locations) as _,
                executor: Arc::clone(&self.executor),
                recovered_checkpoint_id: recovered,
                first_checkpoint_id: self.coordinator.next_checkpoint(),
            },
            clock: Arc::clone(&self.clock),
            events: task_events(&self.sender),
        })?;
        self.view.set_tasks(started);
        Ok(())
    }
}

fn task_events(sender: &Sender<MasterEvent>) -> TaskEventSink {
    let sender = Mutex::new(sender.clone());
    Arc::new(move |event| {
        // Once the master is gone, nobody is left to be told.
        let _ = sender
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .send(MasterEvent::Task(event));
    })
}
