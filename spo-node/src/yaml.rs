//! Reading YAML that anybody may have written: aliases make no more of a text than a text may be.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{Error, Options, budget, options};

use crate::manifest::MAX_BYTES;

/// All documents of a text; one without content is none.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, Error> {
    serde_saphyr::from_multiple_with_options(text, bounded())
}

/// The one document of a text.
pub(crate) fn document<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_saphyr::from_str_with_options(text, bounded())
}

/// The library bounds depth and the number of nodes. Of text it would make 64 MiB, by aliases, whatever the size of the file.
fn bounded() -> Options {
    let bytes = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    options! { budget: budget! { max_total_scalar_bytes: bytes } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_do_not_make_a_small_file_large() {
        let line = "x".repeat(1 << 16);
        let text = format!("- &a {line}\n{}", "- *a\n".repeat(100));
        let error = documents(&text).unwrap_err().to_string();
        assert!(error.contains("scalar"), "{error}");
        assert_eq!(documents("- &a {b: c}\n- *a").unwrap()[0][1]["b"], "c");
    }
}
