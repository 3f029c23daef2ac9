//! Closures that C calls: a panic in one ends the call, and goes on when the call has returned.
use crate::{check, ffi, Result};
use std::any::Any;
use std::ops::ControlFlow;
use std::os::raw::{c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// Called during a long call with the share of the work that is done, `done` of `total`, on the calling thread.
/// `Break` cancels the call, which is then `Status::CANCELLED`.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

pub(crate) struct Guarded<F> {
  closure: F,
  panic: Option<Box<dyn Any + Send>>,
}

impl<F> Guarded<F> {
  pub fn new(closure: F) -> Guarded<F> {
    Guarded { closure, panic: None }
  }

  pub fn user(&mut self) -> *mut c_void {
    (self as *mut Guarded<F>).cast()
  }

  /// The closure's answer. 1 after a panic: it cancels a call, ends a list, and makes a filter take what comes.
  ///
  /// # Safety
  /// `user` is that of a Guarded of this type, which no other reference uses now.
  pub unsafe fn run(user: *mut c_void, call: impl FnOnce(&mut F) -> c_int) -> c_int {
    let guarded = &mut *user.cast::<Guarded<F>>();
    if guarded.panic.is_some() {
      return 1;
    }
    catch_unwind(AssertUnwindSafe(|| call(&mut guarded.closure))).unwrap_or_else(|panic| {
      guarded.panic = Some(panic);
      1
    })
  }

  pub fn into_inner(self) -> F {
    self.closure
  }

  /// The result of the call that had this closure.
  pub fn finish(self, status: u32) -> Result<()> {
    match self.panic {
      Some(panic) => resume_unwind(panic),
      None => check(status),
    }
  }
}

pub(crate) fn answer(flow: ControlFlow<()>) -> c_int {
  c_int::from(flow == ControlFlow::Break(()))
}

type MaybeProgress<'a> = Option<Progress<'a>>;

unsafe extern "C" fn on_progress(user: *mut c_void, done: u64, total: u64) -> c_int {
  Guarded::<MaybeProgress<'_>>::run(user, |progress| progress.as_mut().map_or(0, |closure| answer(closure(done, total))))
}

/// Makes a long call with a progress callback, if there is one.
pub(crate) fn with_progress(progress: MaybeProgress<'_>, call: impl FnOnce(ffi::clip_progress) -> u32) -> Result<()> {
  let function: ffi::clip_progress_fn = if progress.is_some() { Some(on_progress) } else { None };
  let mut guarded = Guarded::new(progress);
  let status = call(ffi::clip_progress { r#fn: function, user: guarded.user() });
  guarded.finish(status)
}
