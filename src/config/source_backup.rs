//! A stream's `source_backup`: a place where every record goes as it came.

use super::buffering;
use super::objects::{self, Objects};
use super::reading::{Block, Keys, Told};
use crate::aws::Profile;
use crate::model::BufferingHints;

pub static ALL: [&Keys; 1] = [&SOURCE_BACKUP];
static SOURCE_BACKUP: Keys = Keys {
    known: &["s3", "directory", "buffering"],
    later: &[],
};

/// `None` where the stream has none.
pub fn read(
    stream: &Block<'_>,
    profiles: &Result<Vec<Profile>, Told>,
) -> Result<Option<(Objects, BufferingHints)>, Told> {
    let Some(block) = stream.block_if_given("source_backup", &SOURCE_BACKUP)? else {
        return Ok(None);
    };
    let objects = objects::one(&block, &objects::BACKUP, profiles);
    let buffering = buffering::of_backup(&block);
    Ok(Some((objects?, buffering?)))
}
