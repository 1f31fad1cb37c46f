//! The file sink as a job sees it: crashes at every step, rescaling, taking back, and what it says about bad folders.

mod crash;
mod faults;
mod life_cycle;

use super::FileSink;
use crate::sink::testing::SinkJob;
use std::path::Path;

type Line = fn(&u64) -> String;
type Job = SinkJob<FileSink<u64, Line>>;

fn sink(folder: &Path) -> FileSink<u64, Line> {
    FileSink::for_row_format(folder, (|n: &u64| n.to_string()) as Line).suffix(".txt")
}

fn job(folder: &Path) -> Job {
    SinkJob::new(sink(folder))
}

/// The records of all files that a reader of the folder sees, sorted.
fn visible(folder: &Path) -> Vec<u64> {
    let mut records: Vec<u64> = names(folder)
        .iter()
        .filter(|n| !n.starts_with('.'))
        .flat_map(|n| {
            let text = std::fs::read_to_string(folder.join(n)).unwrap();
            text.lines().map(|l| l.parse().unwrap()).collect::<Vec<u64>>()
        })
        .collect();
    records.sort_unstable();
    records
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn hidden(folder: &Path) -> usize {
    names(folder).iter().filter(|n| n.starts_with('.')).count()
}
