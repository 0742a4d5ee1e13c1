//! The object that `cargo xtask bpf` built from `ebpf/`.

/// Bytes at an address that the ELF reader accepts.
#[repr(C, align(8))]
struct Aligned<T: ?Sized>(T);

static BYTES: &Aligned<[u8]> = &Aligned(*include_bytes!("recorder.o"));

/// The object.
pub(super) fn bytes() -> &'static [u8] {
    &BYTES.0
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    #[test]
    fn the_object_is_the_one_that_its_record_describes() {
        let record: serde_json::Value = serde_json::from_str(include_str!("recorder.json")).unwrap();
        assert_eq!(record["sha256"], hex::encode(Sha256::digest(super::bytes())), "run `cargo xtask bpf`");
    }
}
