//! Random lives of a job's checkpoints against a plain model.

use crate::kit::{Kit, content, files_under, incremental, read_all, shared_of};
use millpond_checkpoint::completed::CompletedCheckpointStore;
use millpond_state::handle::{FileStateHandle, StatePath, StreamStateHandle};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};

const RETAINED: usize = 2;

#[derive(Clone, Debug)]
enum Step {
    /// A checkpoint completes; the mask says which of the last one's shared files it names again.
    Complete(u8),
    /// A checkpoint is given up after its state was handed in.
    Abort(u8),
    /// The process dies while a checkpoint is being written, and starts again.
    Crash(u8),
    /// The newest checkpoint's metadata is damaged while the process is down.
    Damage,
}

struct World {
    kit: Kit,
    store: CompletedCheckpointStore,
    /// Number and shared files of each retained checkpoint, oldest first.
    retained: VecDeque<(u64, Vec<StreamStateHandle>)>,
    next_id: u64,
    /// Whether a damaged checkpoint's shared files may still lie around.
    orphans: bool,
}

fn name(stream: &StreamStateHandle) -> String {
    match stream {
        StreamStateHandle::File(FileStateHandle {
            path: StatePath::Absolute(uri),
            ..
        }) => uri.rsplit('/').next().unwrap().to_string(),
        other => panic!("not a shared file: {other:?}"),
    }
}

impl World {
    fn new() -> World {
        let kit = Kit::new();
        let store = kit.store(RETAINED);
        World {
            kit,
            store,
            retained: VecDeque::new(),
            next_id: 1,
            orphans: false,
        }
    }

    fn kept(&self, mask: u8) -> Vec<StreamStateHandle> {
        let last = self
            .retained
            .back()
            .map(|(_, files)| files.as_slice())
            .unwrap_or_default();
        last.iter()
            .enumerate()
            .filter(|(i, _)| mask >> (i % 8) & 1 == 1)
            .map(|(_, f)| f.clone())
            .collect()
    }

    fn restart(&mut self, damaged: usize) {
        self.kit.reopen();
        self.store = self.kit.store(RETAINED);
        let found = self.kit.storage.find_latest_intact().unwrap();
        assert_eq!(found.skipped.len(), damaged);
        assert_eq!(
            found.next_checkpoint_id,
            self.next_id.max(1),
            "numbers are used once"
        );
        self.store.recover(&found);
        self.orphans = damaged > 0 || (self.orphans && found.latest.is_none());
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Complete(mask) => {
                let id = self.next_id;
                let (checkpoint, state) = self.kit.incremental(id, &self.kept(*mask));
                self.store.register_pending(id, &state);
                self.store.add(checkpoint);
                self.retained.push_back((id, shared_of(&state)));
                while self.retained.len() > RETAINED {
                    self.retained.pop_front();
                }
                self.next_id += 1;
            }
            Step::Abort(mask) => {
                let location = self.kit.storage.new_checkpoint(self.next_id).unwrap();
                let state = incremental(&*location.stream_factory(), self.next_id, &self.kept(*mask));
                self.store.register_pending(self.next_id, &state);
                self.store.abort(self.next_id, &location);
                self.next_id += 1;
            }
            Step::Crash(mask) => {
                let location = self.kit.storage.new_checkpoint(self.next_id).unwrap();
                incremental(&*location.stream_factory(), self.next_id, &self.kept(*mask));
                self.next_id += 1;
                // Without any checkpoint to go by, shared files are not swept.
                self.orphans |= self.retained.is_empty();
                self.restart(0);
            }
            Step::Damage if self.retained.len() == RETAINED => {
                let (id, _) = self.retained.pop_back().unwrap();
                let path = self.kit.job_dir().join(format!("chk-{id}/_metadata"));
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[20] ^= 1;
                std::fs::write(path, bytes).unwrap();
                self.next_id = id + 1;
                self.restart(1);
                // The next one takes the damaged one's place, so that at most one is damaged at a time.
                self.run(&Step::Complete(0xff));
            }
            Step::Damage => {}
        }
    }

    fn check(&self) {
        self.kit.storage.wait_for_deletions();
        let ids: Vec<u64> = self.retained.iter().rev().map(|(id, _)| *id).collect();
        assert_eq!(
            self.store
                .checkpoints()
                .map(|c| c.checkpoint_id())
                .collect::<Vec<_>>(),
            ids
        );
        let found = self.kit.storage.find_latest_intact().unwrap();
        assert_eq!(
            found.latest.as_ref().map(|c| c.checkpoint_id()),
            ids.first().copied()
        );
        assert_eq!(
            found.older.iter().map(|c| c.checkpoint_id()).collect::<Vec<_>>(),
            ids[ids.len().min(1)..]
        );
        if let Some(latest) = found.latest {
            let last = read_all(latest.location(), latest.metadata()).pop().unwrap();
            assert_eq!(last, content(latest.checkpoint_id(), 50));
        }
        let named: BTreeSet<String> = self
            .retained
            .iter()
            .flat_map(|(_, files)| files.iter().map(name))
            .collect();
        let there = files_under(&self.kit.job_dir().join("shared"));
        assert!(there.is_superset(&named), "a named file is gone");
        if !self.orphans {
            assert_eq!(there, named, "a file that nobody names is left");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Goal: whatever happens, the retained checkpoints are whole, and no file is left that nobody names.
    /// Method: random completions, aborts, crashes and damage; after each step the folder is compared with the model.
    #[test]
    fn retained_checkpoints_are_whole_and_nothing_else_is_left(
        steps in proptest::collection::vec(
            prop_oneof![
                4 => any::<u8>().prop_map(Step::Complete),
                2 => any::<u8>().prop_map(Step::Abort),
                2 => any::<u8>().prop_map(Step::Crash),
                1 => Just(Step::Damage),
            ],
            1..14,
        )
    ) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check();
        }
    }
}
