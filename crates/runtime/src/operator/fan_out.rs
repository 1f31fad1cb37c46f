//! What stands behind an operator with several consumers, or with none.

use super::{ChainOutput, ChainVisitor, WatermarkGauge};
use crate::element::WatermarkStatus;
use millpond_api::{Output, Watermark};
use millpond_core::Result;

/// Every record to each of several outputs; all but the last get a clone.
pub struct FanOut<T> {
    outputs: Vec<Box<dyn ChainOutput<T>>>,
    watermarks: WatermarkGauge,
}

impl<T: Clone + 'static> FanOut<T> {
    /// One output of several: the only one itself, or all of them as one. None at all: what comes is dropped.
    pub fn of(mut outputs: Vec<Box<dyn ChainOutput<T>>>) -> Box<dyn ChainOutput<T>> {
        match outputs.pop() {
            Some(only) if outputs.is_empty() => only,
            Some(last) => {
                outputs.push(last);
                Box::new(Self::new(outputs))
            }
            None => Box::new(Self::new(outputs)),
        }
    }

    fn new(outputs: Vec<Box<dyn ChainOutput<T>>>) -> Self {
        FanOut {
            outputs,
            watermarks: WatermarkGauge::default(),
        }
    }
}

impl<T: Clone> Output<T> for FanOut<T> {
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        let Some((last, others)) = self.outputs.split_last_mut() else {
            return Ok(());
        };
        for output in others {
            output.collect(value.clone(), timestamp)?;
        }
        last.collect(value, timestamp)
    }
}

impl<T: Clone> ChainOutput<T> for FanOut<T> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.watermarks.set(watermark);
        self.outputs
            .iter_mut()
            .try_for_each(|o| o.emit_watermark(watermark))
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.outputs
            .iter_mut()
            .try_for_each(|o| o.emit_watermark_status(status))
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        self.watermarks.clone()
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.outputs.iter_mut().try_for_each(|o| o.visit(visitor))
    }
}
