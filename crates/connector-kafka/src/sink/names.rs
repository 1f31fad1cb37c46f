//! Transactional ids: `<prefix>-<subtask>-<n>`. They say whose a transaction is when nothing else is left of its writer.

/// The ids of one sink.
#[derive(Clone, Debug)]
pub(super) struct TransactionNames {
    prefix: String,
}

impl TransactionNames {
    pub(super) fn new(prefix: &str) -> Self {
        TransactionNames {
            prefix: format!("{prefix}-"),
        }
    }

    /// What all ids begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn id(&self, subtask: u32, n: u64) -> String {
        format!("{}{subtask}-{n}", self.prefix)
    }

    /// The instance that made an id; `None` for an id that isn't this sink's.
    pub(super) fn subtask(&self, id: &str) -> Option<u32> {
        let (subtask, n) = id.strip_prefix(&self.prefix)?.split_once('-')?;
        let subtask = subtask.parse().ok()?;
        let n = n.parse().ok()?;
        // Spelled as we spell it: a prefix may begin with another one.
        (self.id(subtask, n) == id).then_some(subtask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_those_of_others_are_left_alone() {
        let names = TransactionNames::new("bills");
        assert_eq!(names.subtask(&names.id(3, 41)), Some(3));
        for other in [
            "bills-3",
            "bills-3-",
            "bills-03-41",
            "bills-3-41-2",
            "bills-3-+41",
            "bills-eu-3-41",
            "bill-3-41",
            "bills3-41",
            "",
        ] {
            assert_eq!(names.subtask(other), None, "{other}");
        }
    }
}
