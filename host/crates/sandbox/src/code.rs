//! Compiled code, and the one place where it is loaded.
//!
//! Compiled code is native code: whoever runs it gives it all rights of this program. So a [`Code`] is made only of what this
//! program has compiled itself (`compiler`), or has kept, under a seal that nobody else can make (`cache`).

use wasmtime::component::Component;

/// The most bytes of compiled code. An interpreter's are some 35 million.
pub(super) const LARGEST_CODE: usize = 128 << 20;

/// The code of a plugin, for the engine that it was compiled for. To have one is to trust it.
pub(super) struct Code<'a>(&'a [u8]);

impl<'a> Code<'a> {
    /// Code that comes from where this module says that it may come from.
    pub(super) fn trusted(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Loads it. `None`: it is for another engine.
    pub(super) fn load(&self, engine: &wasmtime::Engine) -> Option<Component> {
        // SAFETY: `deserialize` must be given what this version of wasmtime compiled with these settings, unchanged. It was
        // compiled by this program or a process of its own binary, or sealed by it when it was; the key under that seal covers
        // this program's version and `precompile_compatibility_hash`, and wasmtime itself looks at its version and settings.
        #[expect(unsafe_code, reason = "compiled code can only be loaded on trust, which having a `Code` stands for")]
        let component = unsafe { Component::deserialize(engine, self.0) };
        component.ok()
    }
}
