//! Objects in S3, through the SDK over our one HTTP door.

use crate::aws::{Connection, Profile};
use crate::objects::room::Room;
use crate::outside::Dice;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub bucket: String,
    pub profile: Profile,
}

pub struct S3 {
    pub x: (Settings, Room, Dice),
}
impl S3 {
    pub fn new(settings: Settings, _c: &Connection, room: Room, dice: Dice) -> S3 {
        S3 {
            x: (settings, room, dice),
        }
    }
}
impl super::Store for S3 {
    fn put<'a>(
        &'a self,
        _: &'a super::Object,
    ) -> futures_util::future::BoxFuture<'a, Result<super::Stored, super::Refusal>> {
        todo!()
    }
    fn clean<'a>(
        &'a self,
        _: &'a [String],
    ) -> futures_util::future::BoxFuture<'a, Result<(), super::Refusal>> {
        todo!()
    }
    fn url(&self) -> String {
        todo!()
    }
}
