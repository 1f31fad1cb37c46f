//! The end of a stream.

use super::operator::SingleOutputStreamOperator;

/// A sink that was added to the job, to be named and tuned. Flink's `DataStreamSink`.
pub struct DataStreamSink {
    operator: SingleOutputStreamOperator<()>,
}

impl DataStreamSink {
    pub(super) fn new(operator: SingleOutputStreamOperator<()>) -> Self {
        DataStreamSink { operator }
    }

    /// As [`SingleOutputStreamOperator::name`].
    pub fn name(self, name: impl Into<String>) -> Self {
        DataStreamSink::new(self.operator.name(name))
    }

    /// As [`SingleOutputStreamOperator::uid`]. An exactly-once sink finds what it has to commit by it.
    pub fn uid(self, uid: impl Into<String>) -> Self {
        DataStreamSink::new(self.operator.uid(uid))
    }

    /// As [`SingleOutputStreamOperator::set_parallelism`].
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        DataStreamSink::new(self.operator.set_parallelism(parallelism))
    }

    /// As [`SingleOutputStreamOperator::disable_chaining`].
    pub fn disable_chaining(self) -> Self {
        DataStreamSink::new(self.operator.disable_chaining())
    }
}
