//! A batch becomes one object: a thin user of `objects`.

use crate::model::Compression;
use crate::objects::key::KeyTemplate;
use crate::objects::store;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    pub keys: KeyTemplate,
    pub compression: Compression,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    S3(store::s3::Settings),
    Directory(store::directory::Settings),
}
