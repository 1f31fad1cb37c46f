//! From the job as its author wrote it to the job as it is deployed: operators that need no exchange between them become one
//! vertex. Flink's `StreamingJobGraphGenerator`.

use super::chain::{Link, VertexFactory};
use super::operator_ids::operator_ids;
use super::stream_graph::{ChainingStrategy, StreamEdge, StreamGraph, StreamNode};
use super::{Exchange, JobEdge, JobVertex, OperatorDescription};
use millpond_core::config::options;
use millpond_core::{Configuration, Error, OperatorId, Result};
use millpond_types::key_group::{MAX_PARALLELISM_LIMIT, default_max_parallelism};
use std::sync::Arc;

/// A stream graph with everything resolved that the author left open.
pub(super) struct Resolved<'a> {
    pub(super) graph: &'a StreamGraph,
    /// Parallelism and max parallelism of each node.
    sizes: Vec<(u32, u32)>,
    /// Whether the job's options name the max parallelism of operators that don't.
    max_parallelism_is_set: bool,
    chaining: bool,
}

impl<'a> Resolved<'a> {
    /// # Errors
    /// Config when a parallelism is out of its bounds.
    fn new(graph: &'a StreamGraph, config: &Configuration) -> Result<Self> {
        let parallelism = config.get(&options::PARALLELISM_DEFAULT)?.unwrap_or(1);
        let max_parallelism = config.get(&options::MAX_PARALLELISM)?;
        let sizes = graph
            .nodes
            .iter()
            .map(|node| sizes(node, parallelism, max_parallelism))
            .collect::<Result<_>>()?;
        Ok(Resolved {
            graph,
            sizes,
            max_parallelism_is_set: max_parallelism.is_some(),
            chaining: config.get(&options::OPERATOR_CHAINING)?.unwrap_or(true),
        })
    }

    fn sizes_of(&self, node: usize) -> (u32, u32) {
        self.sizes.get(node).copied().unwrap_or((1, 1))
    }

    fn exchange(&self, edge: &StreamEdge, target: usize) -> Exchange {
        let same = self.sizes_of(edge.source).0 == self.sizes_of(target).0;
        edge.exchange.unwrap_or(if same {
            Exchange::Forward
        } else {
            Exchange::Rebalance
        })
    }

    /// Whether the source of `edge` and `target` share a task. Flink's `isChainable`.
    pub(super) fn is_chainable(&self, edge: &StreamEdge, target: usize) -> bool {
        let (Some(from), Some(to)) = (self.graph.nodes.get(edge.source), self.graph.nodes.get(target)) else {
            return false;
        };
        self.chaining
            && to.inputs.len() == 1
            && edge.input == 0
            && self.exchange(edge, target) == Exchange::Forward
            && self.sizes_of(edge.source) == self.sizes_of(target)
            && to.chaining == ChainingStrategy::Always
            && from.chaining != ChainingStrategy::Never
    }
}

/// Parallelism and max parallelism of a node.
fn sizes(
    node: &StreamNode,
    parallelism_default: u32,
    max_parallelism_default: Option<u32>,
) -> Result<(u32, u32)> {
    let parallelism = node.parallelism.unwrap_or(parallelism_default);
    let wanted = node.max_parallelism.or(max_parallelism_default);
    let max_parallelism =
        wanted.unwrap_or_else(|| default_max_parallelism(parallelism.min(MAX_PARALLELISM_LIMIT)));
    let wrong = |why: &str, hint: String| {
        Err(Error::config("build job", why)
            .with("operator", node.uid.as_ref().unwrap_or(&node.name))
            .with("parallelism", parallelism)
            .with("max_parallelism", max_parallelism)
            .hint(hint))
    };
    if parallelism == 0 {
        return wrong("the parallelism is 0", "set it to 1 or more".to_string());
    }
    if max_parallelism == 0 || max_parallelism > MAX_PARALLELISM_LIMIT {
        return wrong(
            "the max parallelism is out of its bounds",
            format!(
                "set {} to a number from 1 to {MAX_PARALLELISM_LIMIT}",
                options::MAX_PARALLELISM.key
            ),
        );
    }
    if parallelism > max_parallelism {
        return wrong(
            "the parallelism is above the max parallelism",
            format!(
                "lower the parallelism to {max_parallelism}, or, for a job without state to restore, raise {} to at least {parallelism}",
                options::MAX_PARALLELISM.key
            ),
        );
    }
    Ok((parallelism, max_parallelism))
}

/// Vertices and edges of the job.
///
/// # Errors
/// Config when the job is empty, a parallelism is out of its bounds, or a uid is used twice.
pub(crate) fn translate(
    graph: &StreamGraph,
    config: &Configuration,
) -> Result<(Vec<JobVertex>, Vec<JobEdge>)> {
    if graph.nodes.is_empty() {
        return Err(Error::config("build job", "the job has no operators")
            .hint("add a source with from_source before the job is executed"));
    }
    let resolved = Resolved::new(graph, config)?;
    let ids = operator_ids(&resolved)?;
    let mut translation = Translation {
        heads: heads(&resolved),
        outputs: graph.outputs(),
        resolved,
        ids,
        edges: Vec::new(),
        edges_out: Vec::new(),
    };
    translation.edges_out = vec![0; translation.heads.len()];
    let vertices = (0..translation.heads.len())
        .map(|vertex| translation.vertex(vertex))
        .collect::<Result<Vec<_>>>()?;
    Ok((vertices, translation.edges))
}

/// The nodes that begin a vertex, in their order.
fn heads(resolved: &Resolved<'_>) -> Vec<usize> {
    let begins = |target: &usize| {
        resolved.graph.nodes.get(*target).is_some_and(|node| {
            !node
                .inputs
                .first()
                .is_some_and(|edge| resolved.is_chainable(edge, *target))
        })
    };
    (0..resolved.graph.nodes.len()).filter(begins).collect()
}

struct Translation<'a> {
    resolved: Resolved<'a>,
    ids: Vec<OperatorId>,
    outputs: Vec<Vec<(usize, usize)>>,
    /// The first node of each vertex.
    heads: Vec<usize>,
    edges: Vec<JobEdge>,
    /// How many edges leave each vertex so far.
    edges_out: Vec<usize>,
}

impl Translation<'_> {
    fn vertex(&mut self, vertex: usize) -> Result<JobVertex> {
        let head = *self.heads.get(vertex).ok_or_else(missing_node)?;
        let mut operators = Vec::new();
        let root = self.link(vertex, head, &mut operators)?;
        let names: Vec<&str> = operators
            .iter()
            .map(|o: &OperatorDescription| o.name.as_str())
            .collect();
        let (parallelism, max_parallelism) = self.resolved.sizes_of(head);
        Ok(JobVertex {
            name: names.join(" -> "),
            parallelism,
            max_parallelism,
            max_parallelism_is_set: self.resolved.max_parallelism_is_set
                || self.any_names_max_parallelism(&operators),
            is_source: self.node(head)?.is_source(),
            operators,
            factory: Arc::new(VertexFactory::new(root)),
        })
    }

    fn any_names_max_parallelism(&self, operators: &[OperatorDescription]) -> bool {
        let nodes = self.ids.iter().zip(&self.resolved.graph.nodes);
        nodes
            .filter(|(_, node)| node.max_parallelism.is_some())
            .any(|(id, _)| operators.iter().any(|o| o.id == *id))
    }

    /// The chain from `node` on; adds its operators and the edges that leave it.
    fn link(&mut self, vertex: usize, node: usize, operators: &mut Vec<OperatorDescription>) -> Result<Link> {
        let id = *self.ids.get(node).ok_or_else(missing_node)?;
        let stream_node = self.node(node)?;
        let factory = Arc::clone(&stream_node.factory);
        operators.push(OperatorDescription {
            id,
            uid: stream_node.uid.clone(),
            name: stream_node.name.clone(),
        });
        let mut link = Link::new(id, factory);
        for (target, edge_index) in self.outputs.get(node).cloned().unwrap_or_default() {
            let edge = self
                .node(target)?
                .inputs
                .get(edge_index)
                .cloned()
                .ok_or_else(missing_node)?;
            if self.resolved.is_chainable(&edge, target) {
                let next = self.link(vertex, target, operators)?;
                link.chain(next, edge.side_output);
            } else {
                let output = self.add_edge(vertex, &edge, target)?;
                link.write(output, edge, self.edges.last());
            }
        }
        Ok(link)
    }

    /// Adds a job edge and returns its number among those that leave the vertex.
    fn add_edge(&mut self, vertex: usize, edge: &StreamEdge, target: usize) -> Result<usize> {
        let target_vertex = self
            .heads
            .iter()
            .position(|head| *head == target)
            .ok_or_else(missing_node)?;
        self.edges.push(JobEdge {
            source: vertex,
            target: target_vertex,
            target_input: edge.input,
            exchange: self.resolved.exchange(edge, target),
            record_type: edge.writer.record_type(),
            writer: Arc::clone(&edge.writer),
        });
        let count = self.edges_out.get_mut(vertex).ok_or_else(missing_node)?;
        *count += 1;
        Ok(*count - 1)
    }

    fn node(&self, node: usize) -> Result<&StreamNode> {
        self.resolved.graph.nodes.get(node).ok_or_else(missing_node)
    }
}

#[cold]
pub(super) fn missing_node() -> Error {
    Error::illegal_state("build job", "the stream graph names a node that it doesn't have")
}
