//! A stream together with the operator that it comes from.

use super::environment::StreamExecutionEnvironment;
use super::stream::{DataStream, Upstream};
use crate::graph::stream_graph::{ChainingStrategy, StreamNode};
use std::ops::Deref;

/// An operator and its results, to be named, tuned, and used as a [`DataStream`]. Flink's `SingleOutputStreamOperator`.
pub struct SingleOutputStreamOperator<T> {
    stream: DataStream<T>,
    node: usize,
}

impl<T> SingleOutputStreamOperator<T> {
    pub(super) fn new(env: StreamExecutionEnvironment, node: usize) -> Self {
        SingleOutputStreamOperator {
            stream: DataStream::new(env, vec![Upstream { node, exchange: None }]),
            node,
        }
    }

    /// What the operator is called where the job is shown.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.change(|node| node.name = name.into())
    }

    /// What the operator's state is found by when the job is started from a snapshot. Without one, it is found by the
    /// operator's place in the job, which changes when the job changes.
    pub fn uid(self, uid: impl Into<String>) -> Self {
        self.change(|node| node.uid = Some(uid.into()))
    }

    /// How many parallel instances it has, instead of the job's default.
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.change(|node| node.parallelism = Some(parallelism))
    }

    /// How many key groups its keyed state has, instead of the job's default.
    pub fn set_max_parallelism(self, max_parallelism: u32) -> Self {
        self.change(|node| node.max_parallelism = Some(max_parallelism))
    }

    /// Gives it tasks of its own, shared with no other operator.
    pub fn disable_chaining(self) -> Self {
        self.change(|node| node.chaining = ChainingStrategy::Never)
    }

    /// Gives it tasks that are not those of the operators before it; those behind may share them.
    pub fn start_new_chain(self) -> Self {
        self.change(|node| node.chaining = ChainingStrategy::Head)
    }

    fn change(self, change: impl FnOnce(&mut StreamNode)) -> Self {
        self.stream.env.change(self.node, change);
        self
    }
}

impl<T> Clone for SingleOutputStreamOperator<T> {
    fn clone(&self) -> Self {
        SingleOutputStreamOperator {
            stream: self.stream.clone(),
            node: self.node,
        }
    }
}

impl<T> Deref for SingleOutputStreamOperator<T> {
    type Target = DataStream<T>;
    fn deref(&self) -> &DataStream<T> {
        &self.stream
    }
}
