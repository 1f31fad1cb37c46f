//! Side outputs: results of other types than a function's main one, each read as a stream of its own.
//!
//! A tag is what the function that emits and the job that reads have in common. Records go straight to the typed output behind
//! the tag: emitting allocates nothing.

use crate::Output;
use millpond_core::{Error, Result};
use std::any::{Any, type_name};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

/// Names a side output of records of type `T`. Flink's `OutputTag`.
///
/// Two tags are the same output of an operator when their ids are equal.
///
/// ```
/// use millpond_api::{Collector, OutputTag};
/// use millpond_api::function::{ProcessContext, ProcessFunction};
/// use millpond_core::Result;
///
/// /// Numbers go on; what is none goes to the side output "rejected".
/// struct Parse;
///
/// fn rejected() -> OutputTag<String> {
///     OutputTag::new("rejected")
/// }
///
/// impl ProcessFunction for Parse {
///     type In = String;
///     type Out = i64;
///
///     fn process_element(&mut self, line: String, ctx: &mut ProcessContext<'_>, out: &mut Collector<'_, i64>) -> Result<()> {
///         match line.parse() {
///             Ok(number) => out.collect(number),
///             Err(_) => ctx.output(&rejected(), line),
///         }
///         Ok(())
///     }
/// }
/// // In the job: `let parsed = lines.process(|| Parse); let rejected = parsed.get_side_output(&rejected());`
/// ```
pub struct OutputTag<T> {
    id: Arc<str>,
    types: PhantomData<fn() -> T>,
}

impl<T> OutputTag<T> {
    /// The side output of this id, unique within its operator.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        OutputTag {
            id: id.into(),
            types: PhantomData,
        }
    }
    /// The id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }
}

impl<T> Clone for OutputTag<T> {
    fn clone(&self) -> Self {
        OutputTag::new(Arc::clone(&self.id))
    }
}

impl<T> PartialEq for OutputTag<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl<T> Eq for OutputTag<T> {}

impl<T> fmt::Debug for OutputTag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputTag({} of {})", self.id, type_name::<T>())
    }
}

/// A typed output, shared with the chain that owns what stands behind it.
type TypedOutput<T> = RefCell<Box<dyn Output<T>>>;

/// For engines: what stands behind one side output of an operator.
pub struct SideOutput {
    id: Arc<str>,
    /// A [`TypedOutput`] of the tag's type.
    output: Box<dyn Any>,
}

impl SideOutput {
    /// Records of `tag` go to `output`.
    pub fn new<T: 'static>(tag: &OutputTag<T>, output: Box<dyn Output<T>>) -> Self {
        let output: TypedOutput<T> = RefCell::new(output);
        SideOutput {
            id: Arc::clone(tag.id()),
            output: Box::new(output),
        }
    }
}

/// For engines: the side outputs of one operator instance. Clones are the same outputs.
///
/// As with [`crate::Collector`], emitting cannot fail: what an operator further down fails with is kept, later records are
/// dropped, and the engine asks [`SideOutputs::finish`] after each call of the function.
#[derive(Clone, Default)]
pub struct SideOutputs(Option<Rc<Inner>>);

struct Inner {
    outputs: Vec<SideOutput>,
    emitted: Cell<u64>,
    failure: RefCell<Option<Error>>,
}

impl SideOutputs {
    /// An operator whose side outputs are these and no others. What is emitted to another is dropped, as nobody reads it.
    pub fn new(outputs: Vec<SideOutput>) -> Self {
        SideOutputs((!outputs.is_empty()).then(|| {
            Rc::new(Inner {
                outputs,
                emitted: Cell::new(0),
                failure: RefCell::new(None),
            })
        }))
    }

    /// Emits a record with this timestamp ([`crate::NO_TIMESTAMP`] for none).
    pub fn emit<T: 'static>(&self, tag: &OutputTag<T>, value: T, timestamp: i64) {
        let Some(inner) = &self.0 else { return };
        if inner.failure.borrow().is_some() {
            return;
        }
        if let Err(e) = inner.emit(tag, value, timestamp) {
            *inner.failure.borrow_mut() = Some(e);
        }
    }

    /// How many records went out since the last call, or what an operator behind failed with.
    ///
    /// # Errors
    /// The first failure of [`Output::collect`]; IllegalState when a tag's records are read as another type.
    #[inline]
    pub fn finish(&self) -> Result<u64> {
        let Some(inner) = &self.0 else { return Ok(0) };
        match inner.failure.borrow_mut().take() {
            Some(e) => Err(e),
            None => Ok(inner.emitted.take()),
        }
    }
}

impl Inner {
    fn emit<T: 'static>(&self, tag: &OutputTag<T>, value: T, timestamp: i64) -> Result<()> {
        let Some(side) = self.outputs.iter().find(|side| side.id == tag.id) else {
            return Ok(());
        };
        let output = side.output.downcast_ref::<TypedOutput<T>>().ok_or_else(|| {
            Error::illegal_state(
                "emit to side output",
                "the job reads the side output as another type",
            )
            .with("tag", &tag.id)
            .with("emitted", type_name::<T>())
            .hint("use the same OutputTag where records are emitted and where they are read")
        })?;
        let mut output = output.try_borrow_mut().map_err(|_| {
            Error::illegal_state("emit to side output", "it was reached from behind itself")
                .with("tag", &tag.id)
        })?;
        self.emitted.set(self.emitted.get() + 1);
        output.collect(value, timestamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Keep(Rc<RefCell<Vec<(i64, i64)>>>);
    impl Output<i64> for Keep {
        fn collect(&mut self, value: i64, timestamp: i64) -> Result<()> {
            if value < 0 {
                return Err(Error::user("negative"));
            }
            self.0.borrow_mut().push((value, timestamp));
            Ok(())
        }
    }

    /// Goal: records reach the output of their tag, are counted once, and the first failure is kept and told once. Method: a
    /// tag that is read, one that isn't, one of another type, and an output that fails.
    #[test]
    fn records_reach_the_output_of_their_tag_and_failures_are_kept() {
        let kept = Rc::default();
        let tag = OutputTag::new("late");
        let sides = SideOutputs::new(vec![SideOutput::new(&tag, Box::new(Keep(Rc::clone(&kept))))]);
        sides.emit(&tag, 1, 10);
        sides.emit(&OutputTag::new("nobody reads it"), 2i64, 10);
        assert_eq!(sides.finish().unwrap(), 1);
        assert_eq!(sides.finish().unwrap(), 0);
        sides.emit(&tag, -1, 10);
        sides.emit(&tag, 3, 10);
        assert_eq!(sides.finish().unwrap_err().message(), "negative");
        sides.emit(&OutputTag::new("late"), "text", 10);
        assert!(sides.finish().is_err());
        sides.emit(&tag, 4, 11);
        assert_eq!(*kept.borrow(), [(1, 10), (4, 11)]);
        SideOutputs::default().emit(&tag, 5, 12);
    }
}
