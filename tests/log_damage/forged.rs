//! What whoever puts may leave in a file that is recycled later.

use crc_fast::{CrcAlgorithm, checksum};

use super::*;

/// A frame's header, taken from elsewhere, as it would stand at that offset of segment 2.
fn frame(header: &[u8], life: u64, offset: usize) -> Vec<u8> {
    let place = 2 << 32 | offset as u64;
    let mut forged = header.to_vec();
    forged[24..32].copy_from_slice(&life.to_le_bytes());
    forged[32..40].copy_from_slice(&place.to_le_bytes());
    // All below it is durable, it says.
    forged[40..48].copy_from_slice(&place.to_le_bytes());
    let seeded = [
        &2u64.to_le_bytes()[..],
        &life.to_le_bytes(),
        &forged[..12],
        &forged[16..96],
    ];
    let crc = checksum(CrcAlgorithm::Crc32Iscsi, &seeded.concat()) as u32;
    forged[12..16].copy_from_slice(&crc.to_le_bytes());
    forged
}

/// The number of the life that began segment 2.
fn life_of(disk: &SimDisk) -> u64 {
    let head = disk.peek(&name(2)).unwrap();
    u64::from_le_bytes(head[40..48].try_into().unwrap())
}

#[tokio::test]
async fn b8_records_that_look_like_frames_are_not_taken_for_them() {
    let behind = FRAMES_AT + 5 * GROUP;
    let with = async |life: fn(u64) -> u64| {
        let disk = two_segments().await;
        let life = life(life_of(&disk));
        let header = disk.peek(&name(2)).unwrap()[FRAMES_AT..FRAMES_AT + GROUP].to_vec();
        disk.scribble(&name(2), behind, &frame(&header, life, behind));
        verify(&disk)
    };
    expect!["4 frames"].assert_eq(&with(|life| u64::from(life as u32)).await);
    expect!["4 frames"].assert_eq(&with(|life| life ^ 1 << 40).await);
    // Who knew the number could.
    expect!["4 frames, Changed 2@24576+4096 -"].assert_eq(&with(|life| life).await);
}

#[tokio::test]
async fn b8_records_that_look_like_frames_do_not_make_a_segment_of_a_file_without_a_head() {
    // A crash came after the file had been renamed and before anything was written to it.
    let with = async |change: fn(u64) -> u64| {
        let disk = two_segments().await;
        let life = change(life_of(&disk));
        // That of "b", which would follow "a".
        let header =
            disk.peek(&name(2)).unwrap()[FRAMES_AT + GROUP..FRAMES_AT + 2 * GROUP].to_vec();
        disk.scribble(&name(2), 0, &[0; SEGMENT]);
        let behind = FRAMES_AT + 5 * GROUP;
        disk.scribble(&name(2), behind, &frame(&header, life, behind));
        verify(&disk)
    };
    expect!["1 frames"].assert_eq(&with(|life| u64::from(life as u32)).await);
    expect!["1 frames"].assert_eq(&with(|life| life ^ 1 << 40).await);
    // Who knew the number could.
    expect!["2 frames"].assert_eq(&with(|life| life).await);
}

#[tokio::test]
async fn b8_records_that_look_like_heads_are_not_taken_for_them() {
    // A crash came after the file had been renamed and before it had a head of its own.
    let with = async |change: fn(u64) -> u64| {
        let disk = two_segments().await;
        let mut head = disk.peek(&name(1)).unwrap()[..FRAMES_AT / 2].to_vec();
        let life = change(life_of(&disk));
        head[32..40].copy_from_slice(&2u64.to_le_bytes());
        head[40..48].copy_from_slice(&life.to_le_bytes());
        let length = u32::from_le_bytes(head[16..20].try_into().unwrap()) as usize;
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &head[24..length]) as u32;
        head[20..24].copy_from_slice(&crc.to_le_bytes());
        disk.scribble(&name(2), 0, &[0; SEGMENT]);
        disk.scribble(&name(2), FRAMES_AT / 2, &head);
        verify(&disk)
    };
    expect!["1 frames"].assert_eq(&with(|life| u64::from(life as u32)).await);
    expect!["1 frames"].assert_eq(&with(|life| life ^ 1 << 40).await);
    // Who knew the number could.
    expect!["0 frames, Head 2@0+4096 -"].assert_eq(&with(|life| life).await);
}

#[tokio::test]
async fn a_record_that_looks_like_a_later_format_keeps_nobody_from_starting() {
    let disk = two_segments().await;
    let mut prefix = disk.peek(&name(2)).unwrap()[..16].to_vec();
    prefix[8] = 99;
    let crc = checksum(CrcAlgorithm::Crc32Iscsi, &prefix[..12]) as u32;
    prefix[12..16].copy_from_slice(&crc.to_le_bytes());
    disk.scribble(&name(2), 0, &[0; SEGMENT]);
    disk.scribble(&name(2), GROUP, &prefix);
    expect!["1 frames"].assert_eq(&verify(&disk));
    disk.scribble(&name(2), 0, &prefix);
    expect![
        "`segment-00000000000000000002.log` has format 99, and this program knows formats up to 1"
    ]
    .assert_eq(&verify(&disk));
}
