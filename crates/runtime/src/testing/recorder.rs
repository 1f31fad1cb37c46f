//! The end of a harness's chain: it keeps what comes out.

use crate::element::WatermarkStatus;
use crate::operator::{ChainOutput, ChainVisitor, WatermarkGauge};
use millpond_api::{NO_TIMESTAMP, Output, Watermark};
use millpond_core::Result;
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Something that came out of an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element<T> {
    /// A record with its timestamp, if it has one.
    Record(T, Option<i64>),
    /// A watermark.
    Watermark(i64),
    /// The operator became active or idle.
    Status(WatermarkStatus),
}

impl<T> Element<T> {
    /// The record's value, if it is one.
    pub(super) fn into_value(self) -> Option<T> {
        match self {
            Element::Record(value, _) => Some(value),
            Element::Watermark(_) | Element::Status(_) => None,
        }
    }
}

/// What came out so far, shared by a harness and the end of its chain.
pub(super) type Recorded<T> = Rc<RefCell<Vec<Element<T>>>>;

/// What came out at a side output: the tag's id, and a [`Recorded`] of its type.
pub(super) type RecordedSide = (Arc<str>, Box<dyn Any>);

pub(super) struct Recorder<T> {
    pub(super) elements: Recorded<T>,
}

impl<T> Output<T> for Recorder<T> {
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        let timestamp = (timestamp != NO_TIMESTAMP).then_some(timestamp);
        self.elements.borrow_mut().push(Element::Record(value, timestamp));
        Ok(())
    }
}

impl<T> ChainOutput<T> for Recorder<T> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.elements
            .borrow_mut()
            .push(Element::Watermark(watermark.timestamp));
        Ok(())
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.elements.borrow_mut().push(Element::Status(status));
        Ok(())
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        WatermarkGauge::default()
    }
    fn visit(&mut self, _visitor: &mut dyn ChainVisitor) -> Result<()> {
        Ok(())
    }
}
