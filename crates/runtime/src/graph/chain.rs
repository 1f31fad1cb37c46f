//! The plan of a vertex's chain, and the factory that builds it for each task.

use super::node::{ErasedOutput, NodeFactory};
use super::side_output::SideOutputEdge;
use super::stream_graph::StreamEdge;
use super::translate::missing_node;
use super::{ChainFactory, Exchange, JobEdge, TaskOutput};
use crate::operator::TaskInfo;
use crate::task::TaskChain;
use millpond_core::{OperatorId, Result};
use std::sync::Arc;

/// An operator in a chain and what stands behind it, in the order in which its consumers were added.
pub(super) struct Link {
    id: OperatorId,
    factory: Arc<dyn NodeFactory>,
    outputs: Vec<LinkOutput>,
}

enum LinkOutput {
    Chained {
        next: Link,
        side_output: Option<Arc<dyn SideOutputEdge>>,
    },
    Written {
        /// Its number among the edges that leave the vertex.
        output: usize,
        edge: StreamEdge,
        exchange: Exchange,
    },
}

impl Link {
    pub(super) fn new(id: OperatorId, factory: Arc<dyn NodeFactory>) -> Self {
        Link {
            id,
            factory,
            outputs: Vec::new(),
        }
    }

    pub(super) fn chain(&mut self, next: Link, side_output: Option<Arc<dyn SideOutputEdge>>) {
        self.outputs.push(LinkOutput::Chained { next, side_output });
    }

    pub(super) fn write(&mut self, output: usize, edge: StreamEdge, job_edge: Option<&JobEdge>) {
        self.outputs.push(LinkOutput::Written {
            output,
            edge,
            exchange: job_edge.map_or(Exchange::Forward, |e| e.exchange),
        });
    }

    /// What stands behind the operator, built: consumers of its results, then each of its side outputs.
    fn build_outputs(&self, channels: &mut [Option<TaskOutput>]) -> Result<Vec<ErasedOutput>> {
        let mut built = Vec::new();
        let mut sides: Vec<(Arc<dyn SideOutputEdge>, Vec<ErasedOutput>)> = Vec::new();
        for output in &self.outputs {
            let erased = output.build(channels)?;
            let Some(edge) = output.side_output() else {
                built.push(erased);
                continue;
            };
            match sides.iter_mut().find(|(known, _)| known.id() == edge.id()) {
                Some((_, outputs)) => outputs.push(erased),
                None => sides.push((Arc::clone(edge), vec![erased])),
            }
        }
        for (edge, outputs) in sides {
            built.push(edge.join(outputs)?);
        }
        Ok(built)
    }
}

impl LinkOutput {
    fn side_output(&self) -> Option<&Arc<dyn SideOutputEdge>> {
        match self {
            LinkOutput::Chained { side_output, .. } => side_output.as_ref(),
            LinkOutput::Written { edge, .. } => edge.side_output.as_ref(),
        }
    }

    fn build(&self, channels: &mut [Option<TaskOutput>]) -> Result<ErasedOutput> {
        match self {
            LinkOutput::Chained { next, .. } => {
                let behind = next.build_outputs(channels)?;
                next.factory.chain(next.id, behind)
            }
            LinkOutput::Written {
                output,
                edge,
                exchange,
            } => {
                let output = channels
                    .get_mut(*output)
                    .and_then(Option::take)
                    .ok_or_else(missing_node)?;
                edge.writer.create(*exchange, output)
            }
        }
    }
}

/// Builds a vertex's chain for each of its tasks.
pub(super) struct VertexFactory {
    root: Link,
}

impl VertexFactory {
    pub(super) fn new(root: Link) -> Self {
        VertexFactory { root }
    }
}

impl ChainFactory for VertexFactory {
    fn create(&self, _task: &TaskInfo, outputs: Vec<TaskOutput>) -> Result<Box<dyn TaskChain>> {
        let mut channels: Vec<_> = outputs.into_iter().map(Some).collect();
        let behind = self.root.build_outputs(&mut channels)?;
        self.root.factory.head(self.root.id, behind)
    }
}
