//! Objects in S3, through the SDK over our one HTTP door.

use crate::aws::Profile;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub bucket: String,
    pub profile: Profile,
}
