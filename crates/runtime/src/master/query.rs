//! Queries of state: to the operator by its uid, and from the task that read the key to the one that owns it.

use super::Master;
use super::failover::Phase;
use crate::task::{StateQuery, TaskControl};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::query::{QueryKey, StateView};
use millpond_types::key_group::operator_index_for_key_group;
use std::sync::mpsc::Sender;

impl Master {
    /// Passes a query on to the first task of the operator: only tasks know the key's type, and so its key group.
    pub(super) fn query(&self, uid: &str, state: String, key: QueryKey, answer: Sender<Result<StateView>>) {
        if !matches!(self.phase, Phase::Running) {
            let error =
                Error::illegal_state("query state", "the job is not running now").hint("ask again later");
            let _ = answer.send(Err(error));
            return;
        }
        let operators = || {
            (0..)
                .zip(&self.graph.vertices)
                .flat_map(|(vertex, v)| v.operators.iter().map(move |o| (vertex, o)))
        };
        let found = operators()
            .find(|(_, o)| o.uid.as_deref() == Some(uid))
            .or_else(|| operators().find(|(_, o)| o.name == uid));
        let Some((vertex, operator)) = found else {
            let names: Vec<_> = operators()
                .map(|(_, o)| o.uid.as_ref().unwrap_or(&o.name).as_str())
                .collect();
            let error = Error::new(ErrorKind::NotFound, "query state", "the job has no such operator")
                .with("uid", uid)
                .hint(format!("it has {}", names.join(", ")));
            let _ = answer.send(Err(error));
            return;
        };
        let query = StateQuery::new(operator.id, state, key, answer);
        let task = TaskId { vertex, subtask: 0 };
        self.executions.send([&task], &TaskControl::Query(query));
    }

    /// Passes a query on to the task that has the key.
    pub(super) fn forward_query(&self, from: TaskId, query: StateQuery, key_group: u32) {
        let Some(vertex) = self.graph.vertices.get(from.vertex as usize) else {
            return;
        };
        let owner = operator_index_for_key_group(key_group, vertex.max_parallelism, vertex.parallelism);
        if owner == from.subtask {
            query.answer(Err(Error::illegal_state(
                "query state",
                "the task doesn't have its own key group",
            )
            .with("key_group", key_group)));
            return;
        }
        let task = TaskId {
            vertex: from.vertex,
            subtask: owner,
        };
        self.executions.send([&task], &TaskControl::Query(query));
    }
}
