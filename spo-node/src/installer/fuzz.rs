//! What the installer makes of requests, opened to its fuzz target. No part of the interface.

use super::wire::{Do, Steps};

/// Reads a request. What is understood of it would be sent in the same way.
pub fn request(body: &[u8]) {
    let Ok(steps) = serde_json::from_slice::<Steps>(body) else { return };
    for step in steps.steps {
        let Ok(step) = step.step() else { continue };
        let sent = Do::of(&step).expect("it came this way");
        assert_eq!(sent.step().as_ref(), Ok(&step));
    }
}
