//! A sink that drops everything. Flink's `DiscardingSink`.

use millpond_api::{Data, Sink, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::Result;
use std::marker::PhantomData;

/// Drops every record: for measuring what comes before it.
pub struct DiscardingSink<T>(PhantomData<fn(T)>);

impl<T> DiscardingSink<T> {
    /// The sink.
    pub fn new() -> Self {
        DiscardingSink(PhantomData)
    }
}

impl<T> Default for DiscardingSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Data> Sink for DiscardingSink<T> {
    type In = T;
    type Writer = DiscardingWriter<T>;
    fn create_writer(&self, _ctx: &mut WriterInitContext<'_>) -> Result<Self::Writer> {
        Ok(DiscardingWriter(PhantomData))
    }
}

/// The writer of [`DiscardingSink`].
pub struct DiscardingWriter<T>(PhantomData<fn(T)>);

impl<T: 'static> SinkWriter for DiscardingWriter<T> {
    type In = T;
    type Committable = ();
    #[inline]
    fn write(&mut self, _value: T, _ctx: &SinkContext) -> Result<()> {
        Ok(())
    }
}
