//! A job as its author wrote it: one node for each operator. Flink's `StreamGraph`.
//!
//! Unions, key selectors and partitionings are no nodes: they are what an edge knows.

use super::Exchange;
use super::node::{NodeFactory, WriterFactory};
use super::side_output::SideOutputEdge;
use millpond_core::Error;
use std::sync::Arc;

/// Whether an operator shares a task with its neighbours. Flink's `ChainingStrategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ChainingStrategy {
    /// With both where it can.
    #[default]
    Always,
    /// With those behind it only.
    Head,
    /// With none.
    Never,
}

/// An operator.
pub(crate) struct StreamNode {
    pub(crate) name: String,
    pub(crate) uid: Option<String>,
    /// What was set on the operator itself.
    pub(crate) parallelism: Option<u32>,
    /// What was set on the operator itself.
    pub(crate) max_parallelism: Option<u32>,
    pub(crate) chaining: ChainingStrategy,
    pub(crate) inputs: Vec<StreamEdge>,
    pub(crate) factory: Arc<dyn NodeFactory>,
    /// The side outputs that are read.
    pub(crate) side_outputs: Vec<Arc<dyn SideOutputEdge>>,
}

impl StreamNode {
    pub(crate) fn new(name: &str, inputs: Vec<StreamEdge>, factory: Arc<dyn NodeFactory>) -> Self {
        StreamNode {
            name: name.to_string(),
            uid: None,
            parallelism: None,
            max_parallelism: None,
            chaining: ChainingStrategy::Always,
            inputs,
            factory,
            side_outputs: Vec::new(),
        }
    }
    pub(crate) fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }
}

/// An edge into an operator.
#[derive(Clone)]
pub(crate) struct StreamEdge {
    /// The node that it comes from; always one with a lower number.
    pub(crate) source: usize,
    /// Which input it feeds.
    pub(crate) input: usize,
    /// How records are distributed; `None`: forward where both sides have the same parallelism, else rebalance.
    pub(crate) exchange: Option<Exchange>,
    pub(crate) writer: Arc<dyn WriterFactory>,
    /// The side output that it comes from; `None`: the results.
    pub(crate) side_output: Option<Arc<dyn SideOutputEdge>>,
}

/// The operators in the order in which they were added.
#[derive(Default)]
pub(crate) struct StreamGraph {
    pub(crate) nodes: Vec<StreamNode>,
    /// The first thing that the author did which makes no sense; reported when the job is built.
    pub(crate) problem: Option<Error>,
}

impl StreamGraph {
    pub(crate) fn add(&mut self, node: StreamNode) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
    /// The edges out of each node, as (target, which of the target's inputs).
    pub(crate) fn outputs(&self) -> Vec<Vec<(usize, usize)>> {
        let mut outputs = vec![Vec::new(); self.nodes.len()];
        for (target, node) in self.nodes.iter().enumerate() {
            for (edge_index, edge) in node.inputs.iter().enumerate() {
                if let Some(list) = outputs.get_mut(edge.source) {
                    list.push((target, edge_index));
                }
            }
        }
        outputs
    }
}
