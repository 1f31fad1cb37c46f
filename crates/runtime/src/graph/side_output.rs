//! The side outputs of an operator in its chain.
//!
//! The operator doesn't know the types of its side outputs, and the chain must reach what stands behind them: for watermarks, and
//! to visit operators and writers. So each is shared by two: the operator emits records to it by its tag, and the chain owns
//! it beside the main output.

use super::node::ErasedOutput;
use crate::element::WatermarkStatus;
use crate::operator::{ChainOutput, ChainVisitor, FanOut, WatermarkGauge};
use millpond_api::side_output::SideOutput;
use millpond_api::{Data, Output, OutputTag, Watermark};
use millpond_core::{Error, Result};
use std::any::{TypeId, type_name};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;

/// A tag with its type hidden: what an edge from a side output knows.
pub(crate) trait SideOutputEdge: Send + Sync {
    /// The tag's id.
    fn id(&self) -> &Arc<str>;
    /// The type of its records, and its name.
    fn record_type(&self) -> (TypeId, &'static str);
    /// All that stands behind the tag, as one output.
    fn join(&self, outputs: Vec<ErasedOutput>) -> Result<ErasedOutput>;
}

impl<T: Data> SideOutputEdge for OutputTag<T> {
    fn id(&self) -> &Arc<str> {
        OutputTag::id(self)
    }
    fn record_type(&self) -> (TypeId, &'static str) {
        (TypeId::of::<T>(), type_name::<T>())
    }
    fn join(&self, outputs: Vec<ErasedOutput>) -> Result<ErasedOutput> {
        let outputs = outputs
            .into_iter()
            .map(ErasedOutput::typed)
            .collect::<Result<_>>()?;
        Ok(ErasedOutput::Side(SideLink::new(self, FanOut::<T>::of(outputs))))
    }
}

/// One side output: the chain's half and the operator's half.
pub(crate) struct SideLink {
    pub(super) chain: Box<dyn SideChain>,
    pub(super) output: SideOutput,
}

impl SideLink {
    pub(crate) fn new<T: 'static>(tag: &OutputTag<T>, output: Box<dyn ChainOutput<T>>) -> Self {
        let shared = Shared(Rc::new(RefCell::new(output)));
        SideLink {
            output: SideOutput::new(tag, Box::new(shared.clone())),
            chain: Box::new(shared),
        }
    }
}

/// What the chain does with a side output.
pub(crate) trait SideChain {
    fn emit_watermark(&self, watermark: Watermark) -> Result<()>;
    fn emit_watermark_status(&self, status: WatermarkStatus) -> Result<()>;
    fn visit(&self, visitor: &mut dyn ChainVisitor) -> Result<()>;
}

struct Shared<T>(Rc<RefCell<Box<dyn ChainOutput<T>>>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Rc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    fn get(&self) -> Result<RefMut<'_, Box<dyn ChainOutput<T>>>> {
        // A chain has no cycles, so nobody reaches an output from behind itself.
        self.0
            .try_borrow_mut()
            .map_err(|_| Error::illegal_state("emit to side output", "it was reached from behind itself"))
    }
}

impl<T> Output<T> for Shared<T> {
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        self.get()?.collect(value, timestamp)
    }
}

impl<T> SideChain for Shared<T> {
    fn emit_watermark(&self, watermark: Watermark) -> Result<()> {
        self.get()?.emit_watermark(watermark)
    }
    fn emit_watermark_status(&self, status: WatermarkStatus) -> Result<()> {
        self.get()?.emit_watermark_status(status)
    }
    fn visit(&self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.get()?.visit(visitor)
    }
}

/// The main output of an operator together with its side outputs: records go to the main one, the rest to all.
struct WithSides<T> {
    main: Box<dyn ChainOutput<T>>,
    sides: Vec<Box<dyn SideChain>>,
}

/// `main` and `sides` as one; `main` itself where there are none.
pub(super) fn with_sides<T: 'static>(
    main: Box<dyn ChainOutput<T>>,
    sides: Vec<Box<dyn SideChain>>,
) -> Box<dyn ChainOutput<T>> {
    if sides.is_empty() {
        return main;
    }
    Box::new(WithSides { main, sides })
}

impl<T> Output<T> for WithSides<T> {
    #[inline]
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        self.main.collect(value, timestamp)
    }
}

impl<T> ChainOutput<T> for WithSides<T> {
    fn emit_watermark(&mut self, watermark: Watermark) -> Result<()> {
        self.main.emit_watermark(watermark)?;
        self.sides
            .iter()
            .try_for_each(|side| side.emit_watermark(watermark))
    }
    fn emit_watermark_status(&mut self, status: WatermarkStatus) -> Result<()> {
        self.main.emit_watermark_status(status)?;
        self.sides
            .iter()
            .try_for_each(|side| side.emit_watermark_status(status))
    }
    fn watermark_gauge(&self) -> WatermarkGauge {
        self.main.watermark_gauge()
    }
    fn visit(&mut self, visitor: &mut dyn ChainVisitor) -> Result<()> {
        self.main.visit(visitor)?;
        self.sides.iter().try_for_each(|side| side.visit(visitor))
    }
}
